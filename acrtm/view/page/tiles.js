// Tiles, one for each row, and cards, which show a single value.
"use strict";

View.tiles = (item) => {
  const at = Object.fromEntries(item.columns.map((column, index) => [column.name, index]));
  const part = (name, row, named) => {
    const setting = item.parts[name];
    if (!setting || at[setting.name] === undefined) return null;
    const index = at[setting.name];
    return View.element("div", { class: `tile-${name} ${setting.formatter === "big_number" ? "big" : ""}` },
      View.formatted(setting, row[index], item.columns[index].type, named));
  };
  return View.element("div", { class: "tiles" }, ...item.rows.map((row) => {
    const named = Object.fromEntries(item.columns.map((column, index) => [column.name, row[index]]));
    const parts = ["title", "left", "right", "subtitle", "secondary"].map((name) => part(name, row, named));
    return View.element("div", { class: `tile ${item.border ? "bordered" : ""}` }, ...parts);
  }));
};

View.card = (item) => {
  const value = item.rows[0]?.[0] ?? null;
  const words = View.words(value, item.columns[0]?.type);
  if (item.style === "editor") return View.code(words);
  if (item.style === "header") return View.element("h3", {}, words);
  return View.element("p", { class: item.style === "bignumber" ? "big" : "words" }, words);
};
