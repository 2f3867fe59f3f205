// Text and small pieces. Whatever comes from a finding goes into the page through textContent, never as markup.
"use strict";

globalThis.View = {};

/** An element with attributes, listeners (functions) and children: elements, or text that stays text. */
View.element = (name, attributes = {}, ...children) => {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(key, value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
};

/** An address of the web, or "" for anything else: a link to a script stays text. */
View.webAddress = (text) => (/^https?:\/\//i.test(String(text)) ? String(text) : "");

/** 2026-11-23 16:05:12 UTC, as people compare it with logs. */
View.moment = (text) => {
  const moment = new Date(text);
  return Number.isNaN(moment.getTime()) ? String(text) : `${moment.toISOString().slice(0, 19).replace("T", " ")} UTC`;
};

/** 2026-11-23 16:05, for a column whose heading says UTC; a line may end between day and time of day only. */
View.time = (text) => {
  const parts = View.moment(text).replace(/:\d{2} UTC$/, "").split(" ");
  const [day, ...rest] = parts.map((part) => View.element("span", {}, part));
  return View.element("time", { datetime: text, title: View.moment(text) }, day, ...rest.flatMap((part) => [" ", part]));
};

// A little less than nothing, as of what has just ended, is no "-0".
const numbers = new Intl.NumberFormat("en", { maximumFractionDigits: 2, signDisplay: "negative" });

/** A cell's value in words; `type` is its type in Kusto. */
View.words = (value, type) => {
  if (value === null || value === undefined) return "";
  if (type === "datetime") return View.moment(value);
  if (typeof value === "number") return numbers.format(value);
  if (typeof value === "object") return JSON.stringify(value);
  return String(value);
};

/** A button that copies `text`, and says that it has. */
View.copyButton = (text) => {
  const button = View.element("button", { type: "button", class: "copy" }, "Copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      // No right to the clipboard (a file that was opened from disk): the text is selected instead.
      getSelection().selectAllChildren(button.previousElementSibling);
      button.textContent = "Selected: press Ctrl+C";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 2500);
  });
  return button;
};

/** Code with its copy button. */
View.code = (text) => View.element("div", { class: "code" },
  View.element("pre", { tabindex: "0" }, View.element("code", {}, text)), View.copyButton(text));

/** A pane above the page that shows a whole value; `opener` is what was clicked. */
View.showDetails = (title, value, opener) => {
  const row = opener.closest("tr[data-focus]")?.dataset.focus;
  const text = typeof value === "object" ? JSON.stringify(value, null, 2) : String(value);
  const pane = View.element("dialog", { class: "details", "aria-label": title });
  const close = View.element("button", { type: "button", click: () => pane.close() }, "Close");
  pane.append(View.element("h2", {}, title), View.code(text), close);
  pane.addEventListener("close", () => {
    pane.remove();
    // Its row may have been drawn anew meanwhile.
    if (!opener.isConnected && row) {
      [...document.querySelectorAll("tr[data-focus]")].find((one) => one.dataset.focus === row)?.focus({ preventScroll: true });
    }
  });
  document.body.append(pane);
  pane.showModal();
};

const LONGEST_NEVER_CUT = 40;

const isCut = (text) => text.scrollHeight > text.clientHeight + 1;

// What is cut is a button; what is there as a whole is text. Which of the two it is changes with the width.
const cutTexts = new ResizeObserver((entries) => {
  for (const { target: text } of entries) {
    if (!text.isConnected) cutTexts.unobserve(text);
    else if (isCut(text)) for (const [name, value] of Object.entries(AS_BUTTON)) text.setAttribute(name, value);
    else for (const name of Object.keys(AS_BUTTON)) text.removeAttribute(name);
  }
});
const AS_BUTTON = { role: "button", tabindex: "0", "aria-haspopup": "dialog" };

/** A text that is cut where it gets long, and is seen as a whole in a pane by whoever clicks it then. */
const cutText = (title, text) => {
  const made = View.element("span", { class: "cut" }, text);
  made.addEventListener("click", () => {
    if (isCut(made) && !String(getSelection())) View.showDetails(title, text, made);
  });
  made.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") { event.preventDefault(); made.click(); }
  });
  cutTexts.observe(made);
  return made;
};

// Shapes besides colours, so that a severity is seen without them.
const SHAPES = {
  critical: ["bad", "M8 1l7 7-7 7-7-7zM8 4.5v4M8 10.6v.9"],
  error: ["bad", "M8 1a7 7 0 1 0 .01 0zM5.5 5.5l5 5M10.5 5.5l-5 5"],
  warning: ["warn", "M8 1.5l7 13H1zM8 6v4.2M8 11.6v.9"],
  info: ["note", "M8 1a7 7 0 1 0 .01 0zM8 7v4.5M8 4.2v.9"],
  success: ["good", "M8 1a7 7 0 1 0 .01 0zM4.7 8.3l2.3 2.3 4.4-4.6"],
  pending: ["mute", "M8 1a7 7 0 1 0 .01 0zM8 4v4.3l2.8 1.6"],
  unknown: ["warn", "M8 1a7 7 0 1 0 .01 0zM6 6.2a2 2 0 1 1 2.7 1.9c-.5.2-.7.5-.7 1M8 11v.9"],
  stopped: ["mute", "M8 1a7 7 0 1 0 .01 0zM4.5 8h7"],
};
const SAME = {
  failed: "error", cancelled: "stopped", Sev0: "critical", Sev1: "error", Sev2: "warning", Sev3: "info", Sev4: "stopped", 0: "critical",
  1: "error", 2: "warning", 3: "info", 4: "critical", question: "unknown", more: "unknown", disabled: "stopped",
  red: "error", redDark: "critical", redBright: "critical", orange: "warning", yellow: "warning", green: "success", blue: "info",
  gray: "stopped",
};

/** The icon of a threshold's representation; null for Blank and for names that nobody has drawn. */
View.icon = (representation) => {
  const found = SHAPES[SAME[representation] ?? representation];
  if (!found) return null;
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  for (const [key, value] of [["viewBox", "0 0 16 16"], ["class", `icon ${found[0]}`], ["aria-hidden", "true"]]) {
    svg.setAttribute(key, value);
  }
  const path = document.createElementNS(space, "path");
  path.setAttribute("d", found[1]);
  svg.append(path);
  return svg;
};

const HOLDS = {
  "==": (cell, value) => String(cell) === value || (value !== "" && Number(cell) === Number(value)),
  "!=": (cell, value) => String(cell) !== value,
  // A value that is missing is no zero.
  ">": (cell, value) => cell !== "" && Number(cell) > Number(value),
  "<": (cell, value) => cell !== "" && Number(cell) < Number(value),
  ">=": (cell, value) => cell !== "" && Number(cell) >= Number(value),
  "<=": (cell, value) => cell !== "" && Number(cell) <= Number(value),
  contains: (cell, value) => String(cell).includes(value),
  startsWith: (cell, value) => String(cell).startsWith(value),
  endsWith: (cell, value) => String(cell).endsWith(value),
  "is Empty": (cell) => cell === null || cell === "",
  Default: () => true,
};

/** The threshold that holds for a value: the first, as in the portal. */
View.threshold = (setting, value) =>
  setting.thresholds.find((one) => (HOLDS[one.operator] ?? (() => false))(value ?? "", one.value ?? ""));

/** A value as its column's setting wants it: with an icon, as a link, a pane, a time, or as it is. `title` is the pane's. */
View.formatted = (setting, value, type, row, title) => {
  const words = View.words(value, type);
  const formatter = setting?.formatter ?? "automatic";
  if (words === "" && setting?.emptyText) return View.element("span", { class: "quiet" }, setting.emptyText);
  if (formatter === "thresholds") {
    const one = View.threshold(setting, value);
    const text = (one?.text || "{0}{1}").replaceAll("{0}", words).replaceAll("{1}", "");
    const icon = one ? View.icon(one.representation) : null;
    return View.element("span", { class: "with-icon" }, icon, View.element("span", {}, text));
  }
  // A button without words is nothing to anybody.
  if (words === "") return document.createTextNode("");
  if (setting?.linkTarget === "CellDetails" || (type === "dynamic" && value !== null)) {
    const heading = title?.trim() || "Details";
    const label = setting?.linkLabel || (type === "dynamic" ? "Details" : "");
    // As in the portal: without a label of its own the link shows the cell, cut where it gets long.
    if (!label) return words.length > LONGEST_NEVER_CUT ? cutText(heading, words) : document.createTextNode(words);
    return View.element("button", { type: "button", class: "link", click: (event) => {
      View.showDetails(heading, value, event.currentTarget);
    } }, label);
  }
  if (setting?.linkTarget === "Url") {
    const address = View.webAddress(setting.linkColumn && row ? row[setting.linkColumn] : value);
    if (address) {
      return View.element("a", { href: address, target: "_blank", rel: "noreferrer noopener" },
        setting.linkLabel || words);
    }
  }
  return document.createTextNode(words);
};
