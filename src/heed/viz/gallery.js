// The list of sentences, and moving about in it. Runs in one module after gallery_map.js, which draws the chosen one.

const ROW = 4.25; // rem, the height of a row in the list
const SPARE = 12; // rows kept above and below the window, so that a quick scroll finds them there

const figure = (value, digits) => (value === null ? "–" : value.toFixed(digits).replace("-", "−"));
const text = (words) => words.join(" ") || "(no word)";
const fold = (string) => string.normalize("NFD").replace(/[\u0300-\u036f]/g, "").toLowerCase();

const MEASURES = {
  order: { name: "Test order", value: (entry) => entry.number },
  bleu: { name: "BLEU", value: (entry) => entry.bleu, show: (entry) => figure(entry.bleu, 1) },
  entropy: { name: "Entropy", value: (entry) => entry.entropy, show: (entry) => figure(entry.entropy, 2) },
  coverage: { name: "Coverage", value: (entry) => entry.coverage, show: (entry) => percent(entry.coverage) },
  length: { name: "Words", value: (entry) => entry.source.length, show: (entry) => `${entry.source.length}` },
};

const [list, search, order, direction] = ["list", "search", "order", "direction"].map($);
const entries = await unpack();
let found = entries; // what the search found, in the chosen order
let current = entries[0];
let reading; // the text of `current` whose map is shown
let sign = 1; // of the order: -1 for descending

async function unpack() {
  const packed = new Blob([bytes($("entries").textContent)]).stream();
  const plain = await new Response(packed.pipeThrough(new DecompressionStream("gzip"))).json();
  return plain.map((entry, index) => ({ ...entry, number: index + 1 }));
}

// What can be read of an entry: the reference, which has a map where it was forced, and every hypothesis.
function readings(entry) {
  const hypotheses = entry.candidates.map((candidate, rank) => ({ name: `Hypothesis ${rank + 1}`, ...candidate }));
  return [{ name: "Reference", words: entry.reference, weights: entry.forced }, ...hypotheses];
}

// ---- The list: only the rows near the window exist -----------------------------------------------------------------

const rows = new Map(); // position in `found` -> its element
let rowHeight = 0; // pixels

function find() {
  const wanted = fold(search.value.trim());
  const { value } = MEASURES[order.value];
  const missing = (entry) => Number(value(entry) === null);
  found = entries
    .filter((entry) => !wanted || searchable(entry).includes(wanted))
    .sort((a, b) => missing(a) - missing(b) || sign * (value(a) - value(b)) || a.number - b.number);
  const all = `${entries.length.toLocaleString("en")} sentence${entries.length === 1 ? "" : "s"}`;
  $("count").textContent = found.length < entries.length ? `${found.length.toLocaleString("en")} of ${all}` : all;
  $("nothing").hidden = found.length > 0;
  rows.clear();
  list.replaceChildren();
  scrollBy(0, Math.min(0, list.getBoundingClientRect().top - below()));
  drawRows();
}

const below = () => document.querySelector(".tools").getBoundingClientRect().bottom; // where the list can be seen from

function searchable(entry) {
  entry.folded ??= fold([entry.source, ...readings(entry).map((one) => one.words)].map(text).join("\n"));
  return entry.folded;
}

function drawRows() {
  rowHeight = ROW * parseFloat(getComputedStyle(document.documentElement).fontSize);
  list.style.height = `${found.length * rowHeight}px`;
  const top = -list.getBoundingClientRect().top;
  const first = Math.max(0, Math.floor(top / rowHeight) - SPARE);
  const end = Math.min(found.length, Math.ceil((top + innerHeight) / rowHeight) + SPARE);
  for (const [position, row] of rows) {
    if (position < first || position >= end) rows.delete(position) && row.remove();
  }
  let next = list.firstChild;
  for (let position = first; position < end; position++) {
    if (!rows.has(position)) rows.set(position, list.insertBefore(drawRow(position), next));
    next = rows.get(position).nextSibling;
  }
  mark();
}

function drawRow(position) {
  const entry = found[position];
  const { name, show } = MEASURES[order.value === "order" ? "bleu" : order.value];
  const link = element("a", { href: `#${entry.number}` },
    element("span", { class: "number" }, `${entry.number}`),
    element("span", { class: "source", dir: "auto" }, text(entry.source)),
    element("span", { class: "target", dir: "auto" }, text(entry.candidates[0].words)),
    element("span", { class: "value" }, show(entry)),
    element("span", { class: "measure" }, name));
  const row = element("li", { "aria-setsize": found.length, "aria-posinset": position + 1 }, link);
  Object.assign(row.style, { top: `${position * rowHeight}px`, height: `${rowHeight}px` });
  return row;
}

// One row takes part in the Tab order: the chosen one, or the first when that is out of sight.
function mark() {
  const chosen = rows.get(found.indexOf(current));
  const stop = chosen ?? list.firstChild;
  for (const row of rows.values()) {
    row.firstChild.tabIndex = row === stop ? 0 : -1;
    row.firstChild.setAttribute("aria-current", String(row === chosen));
  }
}

// ---- The sentence --------------------------------------------------------------------------------------------------

function show(entry) {
  current = entry;
  $("heading").textContent = `Sentence ${entry.number}`;
  $("scores").replaceChildren(...["bleu", "entropy", "coverage", "length"].map((key) =>
    element("div", {}, element("dt", {}, MEASURES[key].name), element("dd", {}, MEASURES[key].show(entry)))));
  const [reference, best, ...others] = readings(entry);
  const source = { name: "Source", words: entry.source };
  $("texts").replaceChildren($("texts").firstElementChild, ...[source, reference, best].map(drawText));
  $("others").replaceChildren($("others").firstElementChild, ...others.map(drawText));
  $("others").hidden = others.length === 0;
  read(best);
  mark();
}

function drawText(one) {
  const name = element("span", { class: "name" }, one.name);
  const score = element("span", { class: "score" }, one.score === undefined ? "" : figure(one.score, 2));
  const line = element("span", { class: "text", dir: "auto" }, text(one.words));
  if (one.weights == null) return element("p", {}, name, line);
  const radio = element("input", { type: "radio", name: "reading" });
  radio.addEventListener("change", () => read(one));
  radio.checked = one.name === "Hypothesis 1";
  return element("label", {}, radio, name, line, score);
}

function read(one) {
  reading = one;
  drawMap(current, reading);
}

// ---- Moving about --------------------------------------------------------------------------------------------------

// The address names the sentence, so that a link leads to it and the browser's own "back" works.
function follow() {
  const entry = entries[Number(location.hash.slice(1)) - 1];
  document.body.classList.toggle("reading", entry !== undefined);
  if (!entry || entry === current) return;
  show(entry);
  reveal();
}

function move(step) {
  const entry = found[Math.min(found.length - 1, Math.max(0, found.indexOf(current) + step))];
  if (!entry) return;
  const inMap = map.contains(document.activeElement);
  show(entry);
  location.replace(`#${entry.number}`);
  reveal();
  if (inMap) enterMap();
  else if (!$("sentence").contains(document.activeElement)) enterList();
}

function reveal() {
  const top = list.getBoundingClientRect().top + found.indexOf(current) * rowHeight;
  scrollBy(0, Math.min(top - below(), Math.max(0, top + rowHeight - innerHeight)));
  drawRows();
}

const enterList = () => list.querySelector("[tabindex='0']")?.focus({ preventScroll: true });

function leave() {
  document.body.classList.remove("reading");
  location.replace("#all");
  enterList();
}

const KEYS = {
  j: () => move(1),
  k: () => move(-1),
  m: () => document.querySelector("[name=shape]:not(:checked)").click(),
  "/": () => search.select(),
  Escape: leave,
};

function press(event) {
  const { key, target } = event;
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  let act = target === search ? { Enter: () => move(0), Escape: leave }[key] : KEYS[key];
  if (target.matches(".word") && key.startsWith("Arrow")) act = () => neighbour(target, key)?.focus();
  if (target.matches("body, #list a") && key === "ArrowDown") act = KEYS.j;
  if (target.matches("body, #list a") && key === "ArrowUp") act = KEYS.k;
  if (!act) return;
  event.preventDefault();
  act();
}

// Enter on a row, which a browser reports as a click without a pointer, leads on into the map.
function choose(event) {
  const link = event.target.closest("a");
  if (!link || event.detail) return;
  show(entries[Number(link.hash.slice(1)) - 1]);
  document.body.classList.add("reading");
  enterMap();
}

function turn() {
  sign = -sign;
  direction.textContent = sign > 0 ? "↑" : "↓";
  for (const name of ["title", "aria-label"]) direction.setAttribute(name, sign > 0 ? "Ascending" : "Descending");
  find();
}

function switchTheme() {
  const { dataset } = document.documentElement;
  dataset.theme ??= matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  dataset.theme = dataset.theme === "dark" ? "light" : "dark";
}

for (const [key, { name }] of Object.entries(MEASURES)) order.append(element("option", { value: key }, name));
search.addEventListener("input", find);
order.addEventListener("change", find);
direction.addEventListener("click", turn);
list.addEventListener("click", choose);
$("theme").addEventListener("click", switchTheme);
$("previous").addEventListener("click", () => move(-1));
$("next").addEventListener("click", () => move(1));
for (const shape of document.querySelectorAll("[name=shape]")) shape.addEventListener("change", () => read(reading));
addEventListener("keydown", press);
addEventListener("hashchange", follow);
addEventListener("scroll", drawRows, { passive: true });
addEventListener("resize", drawRows);

$("sentence").hidden = false;
list.style.setProperty("--digits", String(entries.length).length);
find();
show(current);
follow();
