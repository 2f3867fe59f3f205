// The parameter strip. What is chosen here fills the tokens of every query.
"use strict";

const choices = (parameter, choose) => {
  const chosen = new Set(parameter.chosen);
  const summary = View.element("summary", { "aria-label": `${parameter.label}: ${parameter.shown || "None"}` }, parameter.shown || "None");
  const box = (value, label, checked) => {
    const input = View.element("input", { type: parameter.multiple ? "checkbox" : "radio", name: parameter.name, value,
      "data-focus": `${parameter.name} ${value}` });
    input.checked = checked;
    input.addEventListener("change", () => {
      if (value === "value::all") {
        // All can only be taken back by choosing something else.
        input.checked = true;
        return choose({ [parameter.name]: ["value::all"] });
      }
      if (!parameter.multiple) return choose({ [parameter.name]: [value] });
      const next = parameter.all ? new Set() : new Set(chosen);
      if (input.checked || parameter.all) next.add(value);
      else next.delete(value);
      return choose({ [parameter.name]: next.size ? [...next] : ["value::all"] });
    });
    return View.element("label", {}, input, View.element("span", {}, label));
  };
  const all = parameter.offersAll ? [box("value::all", "All", parameter.all)] : [];
  const boxes = parameter.options.map((one) => box(one.value, one.label, !parameter.all && chosen.has(one.value)));
  const nothing = parameter.options.length ? null : View.element("p", { class: "quiet" }, "There is nothing to choose yet.");
  return View.element("details", { class: "choices" }, summary, View.element("div", { class: "menu" }, ...all, ...boxes, nothing));
};

const times = (parameter, choose) => {
  const known = parameter.durations.some((one) => one.milliseconds === parameter.milliseconds) && parameter.relative;
  const options = parameter.durations.map((one) =>
    View.element("option", { value: one.milliseconds, selected: parameter.relative && one.milliseconds === parameter.milliseconds }, one.label));
  if (!known) options.push(View.element("option", { value: "now", selected: true }, parameter.shown));
  const select = View.element("select", { "aria-label": parameter.label, change: () => {
    if (select.value !== "now") choose({ [parameter.name]: { milliseconds: Number(select.value) } });
  } }, ...options);
  if (!parameter.custom) return select;
  const field = () => View.element("input", { type: "datetime-local", step: "60" });
  const [first, last] = [field(), field()];
  const filled = () => {
    const now = Date.now();
    const moments = parameter.relative ? [now - parameter.milliseconds, now] : [parameter.first, parameter.last];
    [first.value, last.value] = moments.map((one) => new Date(one).toISOString().slice(0, 16));
  };
  filled();
  for (const one of [first, last]) one.addEventListener("input", () => last.setCustomValidity(""));
  const set = View.element("button", { type: "button", click: () => {
    last.setCustomValidity(first.value && first.value < last.value ? "" : "This has to be a time after the first one.");
    if (!last.reportValidity()) return;
    choose({ [parameter.name]: { first: `${first.value}:00Z`, last: `${last.value}:00Z` } });
  } }, "Show");
  const opened = (event) => { if (event.target.open) filled(); };
  return View.element("div", { class: "times" }, select, View.element("details", { class: "choices", toggle: opened },
    View.element("summary", {}, "From … to …"),
    View.element("div", { class: "menu" }, View.element("label", {}, "From (UTC)", first),
      View.element("label", {}, "To (UTC)", last), set)));
};

const KINDS_OF_PARAMETER = {
  time: times,
  choice: choices,
  words: (parameter, choose) => View.element("input", { type: "text", value: parameter.value, "aria-label": parameter.label,
    change: (event) => choose({ [parameter.name]: event.target.value }) }),
};

/** Draws the strip; without `choose` (a report that is frozen) its values only. */
View.parameters = (item, choose) => View.element("div", { class: "parameters" }, ...item.parameters.map((parameter) =>
  View.element("div", { class: "parameter", title: parameter.description },
    View.element("span", { class: "label" }, parameter.label),
    choose ? KINDS_OF_PARAMETER[parameter.kind](parameter, choose) : View.element("span", {}, parameter.shown))));

// A menu closes when somebody clicks elsewhere or presses Escape.
addEventListener("click", (event) => {
  for (const open of document.querySelectorAll("details.choices[open]")) {
    if (!open.contains(event.target)) open.open = false;
  }
});
addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const open of document.querySelectorAll("details.choices[open]")) {
    // What has the focus inside would take it along.
    if (open.contains(document.activeElement)) open.querySelector("summary").focus();
    open.open = false;
  }
});
