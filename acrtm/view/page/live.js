// The live page: asks the server for the workbook in the state that was chosen, and follows the store.
"use strict";

const FOLLOW_MILLISECONDS = 2000;
const STALE_MILLISECONDS = 60_000;
const chosen = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
const [workbook, state, footer] = ["workbook", "state", "footer"].map((id) => document.getElementById(id));
// The state of the store that is drawn; null when it could not be.
let version = null;
let latest = 0;
let drawnAt = 0;

const said = (words, style) => {
  state.textContent = words;
  state.className = style;
};

View.post = async (path, document_) => {
  const response = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" },
    body: JSON.stringify(document_) });
  // What went wrong before anything was asked comes as plain text.
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.error || response.statusText);
  return answer;
};

const remember = () => {
  // Tab and chosen rows are in the address, so that a reload and a bookmark show the same.
  const texts = Object.entries(chosen).filter(([, value]) => typeof value === "string" && value !== "");
  history.replaceState(null, "", texts.length ? `#${new URLSearchParams(texts)}` : location.pathname);
};

const controls = {
  frozen: false,
  choose: (parameters) => { Object.assign(chosen, parameters); remember(); return redraw(); },
};

const redraw = async () => {
  const asked = ++latest;
  drawnAt = Date.now();
  workbook.setAttribute("aria-busy", "true");
  try {
    const page = await View.post("api/draw", { chosen });
    // A slower answer to an older question is not drawn over a newer one.
    if (asked !== latest) return;
    const began = performance.now();
    View.items(workbook, page.items, controls);
    View.notDrawn(footer, page.notDrawn);
    version = page.version;
    said(page.newest ? `Newest finding ${View.moment(page.newest)}` : "There are no findings on this machine yet.", "");
    View.drawing = { page: performance.now() - began, server: page.seconds * 1000, queries: page.querySeconds * 1000 };
    // From the beginning of the navigation to the frame after the first drawing.
    if (asked === 1) requestAnimationFrame(() => setTimeout(() => { View.firstPaint = performance.now(); }));
  } catch (error) {
    if (asked !== latest) return;
    // Asked again with the next look, whether the store has changed by then or not.
    version = null;
    said(`The findings could not be read: ${error.message}`, "problem");
  } finally {
    if (asked === latest) workbook.setAttribute("aria-busy", "false");
  }
};

const follow = async () => {
  try {
    const now = (await (await fetch("api/version")).json()).version;
    const busy = document.querySelector("details.choices[open], dialog") || workbook.getAttribute("aria-busy") === "true";
    // Time passes in a store that nobody writes to as well: a monitor that has fallen silent must not stay green.
    if (!busy && (now !== version || Date.now() - drawnAt > STALE_MILLISECONDS)) await redraw();
  } catch {
    version = null;
    said("acrtm view has ended: start it again to go on.", "problem");
  }
  setTimeout(follow, FOLLOW_MILLISECONDS);
};

// Two views: the workbook, and queries of one's own. The editor is loaded by the first who wants it.
const queries = View.element("main", { id: "queries", hidden: true });
workbook.after(queries);
const views = [["Workbook", workbook], ["Query", queries]].map(([label, place]) => {
  const button = View.element("button", { type: "button", "aria-pressed": String(place === workbook), click: async () => {
    for (const [other, itsPlace] of [[views[0], workbook], [views[1], queries]]) {
      itsPlace.hidden = itsPlace !== place;
      other.setAttribute("aria-pressed", String(itsPlace === place));
    }
    // It speaks of the workbook.
    footer.hidden = place !== workbook;
    if (place === queries && !queries.children.length) {
      queries.append(View.element("p", { class: "quiet" }, "Loading the editor …"));
      await View.query(queries);
    }
  } }, label);
  return button;
});
document.getElementById("views").append(...views);

redraw().then(follow);
