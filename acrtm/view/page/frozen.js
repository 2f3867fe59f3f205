// The page in a report: every state that can be shown is in the file already.
"use strict";

const { pool, states, first, mostRows } = JSON.parse(document.getElementById("findings").textContent);
const chosenNow = { ...first };

const unpacked = (number) => {
  const item = pool[number];
  if (item.items) return { ...item, items: item.items.map(unpacked) };
  return item.rows === undefined ? item : { ...item, rows: pool[item.rows] };
};

const keyOf = (chosen) => JSON.stringify(Object.entries(chosen).filter(([, value]) => value !== "").sort(([one], [other]) => (one < other ? -1 : 1)));

const frozenControls = {
  frozen: true,
  choose: (parameters) => {
    Object.assign(chosenNow, parameters);
    if (states[keyOf(chosenNow)]) return show(keyOf(chosenNow));
    // Another tab: what was chosen in the one before does not count there.
    for (const name of Object.keys(chosenNow)) if (!(name in parameters) && !(name in first)) delete chosenNow[name];
    if (states[keyOf(chosenNow)]) return show(keyOf(chosenNow));
    document.getElementById("state").textContent =
      `This report holds no details of that row: only those of the first ${mostRows} rows of each list of a tab.`;
    return undefined;
  },
};

const show = (key) => {
  const state = states[key];
  View.items(document.getElementById("workbook"), state.items.map(unpacked), frozenControls);
  View.notDrawn(document.getElementById("footer"), state.notDrawn);
};

show(keyOf(first));
