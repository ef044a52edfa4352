// @ts-check
// The list of sentences, moving about in it, and the card of the chosen one.

import { Card } from "./card.mjs";
import { byId, element, switchTheme } from "./dom.mjs";
import { rowsInView } from "./layout.mjs";
import { unpack } from "./pack.mjs";
import { MEASURES, hypothesesOf, noted, search, sort, sourceOf, written } from "./sentences.mjs";

/** @typedef {import("./sentences.mjs").Entry} Entry */
/** @typedef {import("./sentences.mjs").Numbered} Numbered */

const ROW = 4.25; // rem, the height of a row in the list
const SPARE = 12; // rows above and below the window, so that a quick scroll does not show a gap

const list = byId("list");
const sentence = byId("sentence");
const direction = byId("direction");
const query = /** @type {HTMLInputElement} */ (byId("search"));
const order = /** @type {HTMLSelectElement} */ (byId("order"));

const entries = await unpackEntries();
const card = new Card();
let shown = entries; // those that match the search, in the chosen order
let current = entries[0];
let sign = 1; // of the order: -1 for descending

/** @returns {Promise<Numbered[]>} */
async function unpackEntries() {
  /** @type {Entry[]} */
  const plain = await unpack(byId("entries").textContent ?? "");
  return plain.map((entry, index) => ({ ...entry, number: index + 1 }));
}

// ---- The list: only the rows near the window exist -----------------------------------------------------------------

/** @type {Map<number, HTMLElement>} */
const rows = new Map(); // from the position in `shown` to the row's element
let rowHeight = 0; // pixels

/** List the sentences that match, from the top, and show the first: the card's sentence is always one of the list. */
function arrange() {
  fillList();
  if (shown.length === 0 || shown[0] === current) return;
  show(shown[0]);
  forgetAddress();
}

function fillList() {
  shown = sort(search(entries, query.value), order.value, sign);
  const all = `${entries.length.toLocaleString("en")} sentence${entries.length === 1 ? "" : "s"}`;
  byId("count").textContent = shown.length < entries.length ? `${shown.length.toLocaleString("en")} of ${all}` : all;
  byId("nothing").hidden = shown.length > 0;
  sentence.hidden = shown.length === 0;
  rows.clear();
  list.replaceChildren();
  scrollBy(0, Math.min(0, list.getBoundingClientRect().top - listTop()));
  drawRows();
}

/** The address names a sentence that the reader has left by searching or sorting. */
function forgetAddress() {
  if (Number(location.hash.slice(1))) history.replaceState(null, "", "#all");
}

const listTop = () => byId("tools").getBoundingClientRect().bottom; // what is above is behind the tools

function drawRows() {
  rowHeight = ROW * parseFloat(getComputedStyle(document.documentElement).fontSize);
  list.style.height = `${shown.length * rowHeight}px`;
  const top = -list.getBoundingClientRect().top;
  const { first, end } = rowsInView(top, innerHeight, rowHeight, shown.length, SPARE);
  for (const [position, row] of rows) {
    if (position >= first && position < end) continue;
    rows.delete(position);
    row.remove();
  }
  let next = list.firstChild;
  for (let position = first; position < end; position++) {
    const row = rows.get(position) ?? list.insertBefore(drawRow(position), next);
    rows.set(position, row);
    next = row.nextSibling;
  }
  markCurrent();
}

/** @param {number} position */
function drawRow(position) {
  const entry = shown[position];
  const measure = MEASURES[order.value === "order" ? "bleu" : order.value];
  const { source, target } = card.languages;
  const link = element("a", { href: `#${entry.number}` },
    element("span", { class: "number" }, `${entry.number}`),
    element("span", { class: "source", dir: "auto", lang: source }, written(sourceOf(entry))),
    element("span", { class: "target", dir: "auto", lang: target }, written(hypothesesOf(entry)[0])),
    element("span", { class: "value" }, measure.show(entry)),
    element("span", { class: "measure" }, measure.name));
  const row = element("li", { "aria-setsize": shown.length, "aria-posinset": position + 1 }, link);
  Object.assign(row.style, { top: `${position * rowHeight}px`, height: `${rowHeight}px` });
  return row;
}

/** One row takes part in the Tab order: the current one, or the first if that is out of sight. */
function markCurrent() {
  const chosen = rows.get(shown.indexOf(current));
  const first = list.firstChild;
  for (const row of rows.values()) {
    const link = /** @type {HTMLElement} */ (row.firstChild);
    link.tabIndex = row === (chosen ?? first) ? 0 : -1;
    link.setAttribute("aria-current", String(row === chosen));
  }
}

// ---- The sentence --------------------------------------------------------------------------------------------------

/** @param {Numbered} entry */
function show(entry) {
  current = entry;
  byId("heading").textContent = `Sentence ${entry.number}`;
  byId("scores").replaceChildren(...["bleu", "entropy", "coverage", "length"].map((key) => element("div", {},
    element("dt", {}, MEASURES[key].name), element("dd", {}, MEASURES[key].show(entry)))));
  card.show(entry);
  markCurrent();
}

// ---- Moving about --------------------------------------------------------------------------------------------------

/** The address names the sentence, so that a link leads to it and the browser's own "back" works. */
function followAddress() {
  const entry = entries[Number(location.hash.slice(1)) - 1];
  document.body.classList.toggle("reading", entry !== undefined);
  if (!entry) return;
  if (!shown.includes(entry)) {
    query.value = "";
    fillList();
  }
  if (entry === current) return;
  show(entry);
  reveal();
}

/** @param {number} steps */
function move(steps) {
  const entry = shown[Math.min(shown.length - 1, Math.max(0, shown.indexOf(current) + steps))];
  if (!entry) return;
  const inMap = byId("map").contains(document.activeElement);
  show(entry);
  location.replace(`#${entry.number}`);
  reveal();
  if (inMap) card.map.enter();
  else if (!sentence.contains(document.activeElement)) enterList();
}

function reveal() {
  const top = list.getBoundingClientRect().top + shown.indexOf(current) * rowHeight;
  scrollBy(0, Math.min(top - listTop(), Math.max(0, top + rowHeight - innerHeight)));
  drawRows();
}

function enterList() {
  const link = list.querySelector("[tabindex='0']");
  if (link instanceof HTMLElement) link.focus({ preventScroll: true });
}

function leave() {
  document.body.classList.remove("reading");
  location.replace("#all");
  enterList();
}

function switchShape() {
  const other = document.querySelector("[name=shape]:not(:checked)");
  if (other instanceof HTMLElement) other.click();
}

/** @type {Record<string, () => void>} */
const KEYS = { j: () => move(1), k: () => move(-1), m: switchShape, "/": () => query.select(), Escape: leave };

/** @type {Record<string, () => void>} */
const SEARCH_KEYS = { Enter: () => move(0), Escape: leave };

/** @type {Record<string, () => void>} */
const LIST_KEYS = { ...KEYS, ArrowDown: KEYS.j, ArrowUp: KEYS.k };

/** @param {KeyboardEvent} event */
function press(event) {
  const { key, target } = event;
  if (event.ctrlKey || event.altKey || event.metaKey || !(target instanceof Element)) return;
  const keys = target === query ? SEARCH_KEYS : target.matches("body, #list a") ? LIST_KEYS : KEYS;
  if (!Object.hasOwn(keys, key)) return;
  event.preventDefault();
  keys[key]();
}

/**
 * Enter on a row, which a browser reports as a click without a pointer, leads on into the map.
 * @param {MouseEvent} event
 */
function choose(event) {
  const link = event.target instanceof Element ? event.target.closest("a") : null;
  if (!link || event.detail) return;
  show(entries[Number(link.hash.slice(1)) - 1]);
  document.body.classList.add("reading");
  card.map.enter();
}

function turn() {
  sign = -sign;
  direction.textContent = sign > 0 ? "↑" : "↓";
  for (const name of ["title", "aria-label"]) direction.setAttribute(name, sign > 0 ? "Ascending" : "Descending");
  arrange();
}

const orders = Object.entries(MEASURES).filter(([key]) => key !== "noted" || entries.some(noted));
for (const [key, { name }] of orders) order.append(element("option", { value: key }, name));
query.addEventListener("input", arrange);
order.addEventListener("change", arrange);
direction.addEventListener("click", turn);
list.addEventListener("click", choose);
byId("theme").addEventListener("click", switchTheme);
byId("previous").addEventListener("click", () => move(-1));
byId("next").addEventListener("click", () => move(1));
addEventListener("keydown", press);
addEventListener("hashchange", followAddress);
addEventListener("scroll", drawRows, { passive: true });
addEventListener("resize", drawRows);

list.style.setProperty("--digits", `${String(entries.length).length}`);
fillList();
show(current);
followAddress();
