// Tables: sorted by a click on the heading, filtered by words, a row chosen by a click or the keyboard.
"use strict";

const LONGEST_WHOLE = 16;
// More rows than anybody reads make the page slow; sorting and the filter see all of them.
const MOST_ROWS_DRAWN = 1000;

const WIDTH = /^\d{1,4}(\.\d+)?(%|ch|px|em|rem)$/;

// What a reader has set stays when the findings change underneath: by the item's name.
const kept = new Map();

const compared = (one, other) => {
  if (one === other) return 0;
  if (one === null || one === "") return 1;
  if (other === null || other === "") return -1;
  if (typeof one === "number" && typeof other === "number") return one - other;
  return String(one).localeCompare(String(other), "en", { numeric: true });
};

const matches = (pattern, name) =>
  new RegExp(`^${pattern.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&")).join(".*")}$`).test(name);

/** The columns as they are shown: with setting and label, hidden ones left out. */
const columnsOf = (item) => item.columns
  .map((column, index) => {
    const setting = item.settings.find((one) => one.name === column.name) ??
      item.settings.find((one) => matches(one.name, column.name));
    const label = Object.hasOwn(item.labels, column.name) ? item.labels[column.name] : column.name;
    return { ...column, index, setting, label: column.type === "datetime" ? `${label} (UTC)` : label };
  })
  .filter((column) => column.setting?.formatter !== "hidden");

// PipelineRunEvent, importpipe_07f3: where such a name may go on in the next line.
const NAME_OF_WORDS = /^(?=.{11})\w+$/;
const breakable = (name) => name.split(/(?<=_)|(?<=[a-z])(?=[A-Z])/).flatMap((part, at) => (at ? [View.element("wbr"), part] : [part]));

const isCommand = (name) => /command$/i.test(name);

const cellOf = (column, row, named) => {
  const value = row[column.index];
  const cell = View.element("td", { "data-label": column.label });
  if (typeof value === "number") cell.classList.add("number");
  if (column.type === "datetime") {
    // Sentences beside it need the room; the seconds are a pointer away, and part of what the filter finds.
    cell.classList.add("moment");
    cell.append(value ? View.time(value) : View.formatted(column.setting, value, column.type, named, column.label));
    return cell;
  }
  // A name that is broken in the middle can't be read at a glance; longer texts may break anywhere.
  if (typeof value === "string") {
    if (value.length <= LONGEST_WHOLE) cell.classList.add("whole");
    else if (value.split(/[\s-]+/).some((word) => word.length > LONGEST_WHOLE)) cell.classList.add("long");
  }
  if (isCommand(column.name) && value) cell.append(View.code(String(value)));
  else if (!column.setting && typeof value === "string" && NAME_OF_WORDS.test(value)) cell.append(...breakable(value));
  else cell.append(View.formatted(column.setting, value, column.type, named, column.label));
  return cell;
};

/** Forgets how a grid was sorted and filtered: another result stands in its place. */
View.forgetGrid = (name) => kept.delete(name);

/** Brings into the window what choosing has opened: the first item that is shown for one of these parameters. */
const showOpened = (parameters) => {
  const opened = [...document.querySelectorAll("[data-shown-for]")]
    .find((item) => parameters.some((name) => item.dataset.shownFor.split(" ").includes(name)));
  opened?.scrollIntoView({ block: "nearest" });
};

/** Draws a grid. `choose` is told the parameters of a row that was chosen. */
View.grid = (item, choose) => {
  const columns = columnsOf(item);
  const first = item.sort[0];
  const sorted = first && item.columns.findIndex((column) => column.name === first.column);
  const state = kept.get(item.name) ?? { words: "", by: sorted ?? -1, down: first?.descending ?? false };
  kept.set(item.name, state);
  const body = View.element("tbody");
  const count = View.element("span", { class: "quiet", role: "status" });

  const parametersOf = (row) => Object.fromEntries(item.exports.map(({ column, parameter }) => {
    if (!column) return [parameter, JSON.stringify(Object.fromEntries(item.columns.map((one, at) => [one.name, row[at]])))];
    const at = item.columns.findIndex((one) => one.name === column);
    return [parameter, View.words(row[at], "")];
  }));
  const isChosen = (row) => {
    const parameters = parametersOf(row);
    return Object.keys(parameters).length > 0 &&
      Object.entries(parameters).every(([name, value]) => value !== "" && item.chosen[name] === value);
  };

  const rowOf = (row) => {
    const named = Object.fromEntries(item.columns.map((column, at) => [column.name, row[at]]));
    const made = View.element("tr", {}, ...columns.map((column) => cellOf(column, row, named)));
    // What it is known by when the list is drawn anew: what choosing it sets.
    if (item.exports.length) {
      made.dataset.focus = `row ${JSON.stringify(parametersOf(row))}`;
      const chosen = isChosen(row);
      made.classList.add("choosable");
      made.tabIndex = 0;
      made.setAttribute("aria-selected", String(chosen));
      const pick = async () => {
        if (chosen) return choose(Object.fromEntries(item.exports.map(({ parameter }) => [parameter, ""])));
        const parameters = parametersOf(row);
        await choose(parameters);
        return showOpened(Object.keys(parameters));
      };
      made.addEventListener("click", (event) => {
        if (event.target.closest("button, a, pre") || String(getSelection())) return;
        // Whoever reads a cut text of the chosen row does not want it closed.
        if (!(chosen && event.target.closest("[aria-haspopup]"))) pick();
      });
      made.addEventListener("keydown", (event) => {
        if (event.target === made && (event.key === "Enter" || event.key === " ")) { event.preventDefault(); pick(); }
      });
    }
    return made;
  };

  const fill = () => {
    const wanted = state.words.trim().toLowerCase().split(/\s+/).filter(Boolean);
    const text = (row) => columns.map((column) => View.words(row[column.index], column.type)).join(" ").toLowerCase();
    let rows = wanted.length ? item.rows.filter((row) => wanted.every((word) => text(row).includes(word))) : item.rows;
    if (state.by >= 0) {
      rows = [...rows].sort((one, other) => compared(one[state.by], other[state.by]) * (state.down ? -1 : 1));
    }
    body.replaceChildren(...rows.slice(0, MOST_ROWS_DRAWN).map(rowOf));
    const first = rows.length > MOST_ROWS_DRAWN ? `, the first ${MOST_ROWS_DRAWN} are shown` : "";
    const left = first + (item.left ? `, ${item.left} more are left out here` : "");
    count.textContent = wanted.length ? `${rows.length} of ${item.rows.length} rows${left}`
      : `${rows.length} row${rows.length === 1 ? "" : "s"}${left}`;
  };

  const headings = columns.map((column) => {
    const button = View.element("button", { type: "button", "data-focus": `heading ${column.name}` }, column.label);
    const heading = View.element("th", { scope: "col" }, button);
    if (WIDTH.test(column.setting?.width ?? "")) heading.style.width = column.setting.width;
    button.addEventListener("click", () => {
      state.down = state.by === column.index ? !state.down : false;
      state.by = column.index;
      for (const other of headings) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", state.down ? "descending" : "ascending");
      fill();
    });
    if (state.by === column.index) heading.setAttribute("aria-sort", state.down ? "descending" : "ascending");
    return heading;
  });
  const filter = item.filter && View.element("input", {
    type: "search", placeholder: "Filter", "aria-label": `Filter ${item.title || "rows"}`, value: state.words,
    input: (event) => { state.words = event.target.value; fill(); },
  });
  fill();
  const pairs = columns.length === 2 && !columns[0].label.trim();
  return View.element("div", { class: `grid size-${item.size ?? 0}${pairs ? " pairs" : ""}` },
    View.element("div", { class: "grid-tools" }, filter || null, count),
    View.element("div", { class: "scroller", tabindex: "0", role: "region", "aria-label": item.title || "Table" },
      View.element("table", {}, View.element("thead", {}, View.element("tr", {}, ...headings)), body)));
};
