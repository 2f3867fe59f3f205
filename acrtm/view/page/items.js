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

const tabs = (item, controls) => View.element("div", { class: "tabs", role: "tablist" }, ...item.links.map((link) =>
  View.element("button", { type: "button", role: "tab", "aria-selected": String(link.chosen),
    click: () => controls.choose({ [link.parameter]: link.value }) }, link.label)));

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
  const made = View.element("section", { class: `item ${item.kind}`, "data-name": item.name, "data-kind": item.kind });
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

/** Draws `items` into `into`, leaving alone what is there already and unchanged. */
View.items = (into, items, controls) => {
  const before = new Map([...into.children].map((child) => [child.dataset.name, child]));
  into.replaceChildren(...items.map((item) => {
    const there = before.get(item.name);
    if (there && there.dataset.kind === item.kind) {
      if (item.kind === "group") {
        View.items(there.querySelector(":scope > .items"), item.items, controls);
        return there;
      }
      if (same(there, item)) return there;
    }
    return place(item, controls);
  }));
};

/** What the workbook wants and this page can't do, in words. */
View.notDrawn = (into, entries) => {
  into.replaceChildren();
  if (!entries.length) return;
  into.append(View.element("h2", {}, "Not drawn here"), View.element("ul", {}, ...entries.map((one) =>
    View.element("li", {}, `${one.name}: ${one.why}`))));
};
