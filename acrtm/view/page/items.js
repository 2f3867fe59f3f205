// The workbook's items, drawn in their order. What has not changed since the last drawing stays as it is on the page.
"use strict";

const drawn = new WeakMap();

const body = (item, controls) => {
  if (item.error) return View.element("p", { class: "problem" }, `This could not be asked: ${item.error}`);
  if (!item.rows.length) return View.element("p", { class: "no-data" }, item.noData || "The query returned no rows.");
  switch (item.kind) {
    case "grid": return View.grid(item, controls.choose);
    case "tiles": return View.tiles(item);
    case "chart": return View.chart(item);
    default: return View.card(item);
  }
};

// One stop of the Tab key for all tabs; arrow keys go from one to the next and choose it, as ARIA wants it.
const tabs = (item, controls) => {
  const choose = (one) => controls.choose({ [one.parameter]: one.value });
  const buttons = item.links.map((one) => View.element("button", { type: "button", role: "tab", "aria-selected": String(one.chosen),
    tabindex: one.chosen ? "0" : "-1", "data-focus": `tab ${one.value}`, click: () => choose(one) }, one.label));
  const places = { ArrowRight: (at) => at + 1, ArrowLeft: (at) => at - 1, Home: () => 0, End: () => buttons.length - 1 };
  return View.element("div", { class: "tabs", role: "tablist", "aria-label": "Tabs of the workbook", keydown: (event) => {
    const at = buttons.indexOf(event.target);
    if (at < 0 || !places[event.key]) return;
    event.preventDefault();
    const next = (places[event.key](at) + buttons.length) % buttons.length;
    buttons[next].focus();
    choose(item.links[next]);
  } }, ...buttons);
};

const link = (one, controls) => {
  if (one.target === "parameter") {
    return View.element("button", { type: "button", class: "link",
      click: () => controls.choose({ [one.parameter]: one.value }) }, one.label);
  }
  const address = View.webAddress(one.value);
  return address ? View.element("a", { href: address, target: "_blank", rel: "noreferrer noopener" }, one.label)
    : View.element("span", {}, one.label);
};

const markdown = (item) => {
  // Made from the workbook's own text by the server, with HTML switched off; parsed apart from the page all the same.
  const parsed = new DOMParser().parseFromString(item.html, "text/html");
  for (const anchor of parsed.querySelectorAll("a")) {
    if (View.webAddress(anchor.getAttribute("href"))) { anchor.target = "_blank"; anchor.rel = "noreferrer noopener"; }
    else anchor.removeAttribute("href");
  }
  return View.element("div", { class: `text ${item.style}` }, ...parsed.body.childNodes);
};

const content = (item, controls) => {
  switch (item.kind) {
    case "text": return markdown(item);
    case "parameters": return View.parameters(item, controls.frozen ? null : controls.choose);
    case "tabs": return tabs(item, controls);
    case "links": return View.element("p", { class: "links" }, ...item.links.map((one) => link(one, controls)));
    case "unknown": return View.element("p", { class: "problem" }, `“${item.name}” is not drawn here: ${item.why}.`);
    default: return body(item, controls);
  }
};

const same = (place, item) => drawn.get(place) === JSON.stringify(item);

const place = (item, controls) => {
  const made = View.element("section", { class: `item ${item.kind} size-${item.size ?? 0}`, "data-name": item.name, "data-kind": item.kind,
    "data-shown-for": item.shownFor?.join(" ") || null });
  made.style.setProperty("--share", String(item.width));
  if (item.title) made.append(View.element("h2", {}, item.title));
  if (item.kind === "group") {
    const inside = View.element("div", { class: "items" });
    made.append(inside);
    View.items(inside, item.items, controls);
  } else {
    made.append(content(item, controls));
    drawn.set(made, JSON.stringify(item));
  }
  return made;
};

const updated = (there, item, controls) => {
  if (there?.dataset.kind !== item.kind) return place(item, controls);
  if (item.kind === "group") {
    View.items(there.querySelector(":scope > .items"), item.items, controls);
    return there;
  }
  if (same(there, item)) return there;
  const made = place(item, controls);
  const keep = View.reading(there);
  there.replaceWith(made);
  keep(made);
  return made;
};

/** Draws `items` into `into`, leaving alone what is there already and unchanged: an element that is taken out of the
 * page, if only to be put back, loses the focus and how far it was scrolled. */
View.items = (into, items, controls) => {
  const before = new Map([...into.children].map((child) => [child.dataset.name, child]));
  const names = new Set(items.map((item) => item.name));
  for (const [name, child] of before) if (!names.has(name)) child.remove();
  items.forEach((item, at) => {
    const wanted = updated(before.get(item.name), item, controls);
    if (into.children[at] !== wanted) into.insertBefore(wanted, into.children[at] ?? null);
  });
};

/** What the workbook wants and this page can't do, in words. */
View.notDrawn = (into, entries) => {
  into.replaceChildren();
  if (!entries.length) return;
  into.append(View.element("h2", {}, "Not drawn here"), View.element("ul", {}, ...entries.map((one) =>
    View.element("li", {}, `${one.name}: ${one.why}`))));
};
