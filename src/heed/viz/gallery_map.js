// One sentence's map: which source words each written word heeded, as lines between words or as a matrix.
// Every text of a sentence enters the page as a text node, never as markup.

const VISIBLE = 0.05; // a weaker link is neither drawn nor named: as a line it could hardly be seen
const SIDES = ["source", "target"];

const $ = (id) => document.getElementById(id);
const map = $("map");
const percent = (share) => (share === null ? "–" : `${Math.round(share * 100)} %`);

let words = { source: [], target: [] }; // the buttons of the map on the page
let links = []; // its links: source, target, weight, gold, and the elements that draw them

// A plain loop: Uint8Array.from with a function took eighteen times as long on a file of 10,000 sentences.
function bytes(base64) {
  const binary = atob(base64);
  const made = new Uint8Array(binary.length);
  for (let at = 0; at < binary.length; at++) made[at] = binary.charCodeAt(at);
  return made;
}

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== undefined) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

// ---- Drawing -------------------------------------------------------------------------------------------------------

function drawMap(entry, reading) {
  const gold = reading.words.join(" ") === entry.reference.join(" ") ? goldLinks(entry) : new Map();
  const weights = bytes(reading.weights);
  links = reading.words.flatMap((_, target) => entry.source.map((_, source) => ({
    source, target, elements: [], gold: gold.get(`${source}-${target}`),
    weight: weights[target * entry.source.length + source] / 255,
  })));
  words = { source: entry.source.map(drawWord("source")), target: reading.words.map(drawWord("target")) };
  for (const button of [...words.source, ...words.target]) {
    button.setAttribute("aria-label", element("p", {}, ...describe(focusOf(button))).textContent);
  }
  (words.source[0] ?? words.target[0])?.setAttribute("tabindex", 0);
  map.className = document.querySelector("[name=shape]:checked").value;
  map.replaceChildren(map.className === "matrix" ? drawMatrix(reading.name) : drawLinks(reading.name));
  $("sentence").classList.toggle("has-gold", gold.size > 0);
  place();
  light();
}

const goldLinks = ({ sure, possible }) => new Map([
  ...possible.map(([source, target]) => [`${source}-${target}`, "possible"]),
  ...sure.map(([source, target]) => [`${source}-${target}`, "sure"]),
]);

const drawWord = (side) => (word, position) =>
  element("button", { type: "button", class: "word", tabindex: -1, [`data-${side}`]: position }, word);

function drawMatrix(name) {
  const heads = words.source.map((button) => element("th", { scope: "col" }, button));
  const lines = words.target.map((button, target) => element("tr", {}, element("th", { scope: "row" }, button),
    ...links.slice(target * heads.length, (target + 1) * heads.length).map(drawCell)));
  const title = `Attention of ${name.toLowerCase()}: a row for each of its words, a column for each source word`;
  const table = element("table", {}, element("caption", {}, title),
    element("thead", {}, element("tr", {}, element("td"), ...heads)), element("tbody", {}, ...lines));
  table.style.setProperty("--columns", heads.length);
  return table;
}

function drawCell(link) {
  const said = percent(link.weight) + (link.gold ? `, ${link.gold} gold link` : "");
  const attributes = { class: link.gold, "data-source": link.source, "data-target": link.target };
  return stands(element("td", attributes, element("span", {}, said)), link);
}

function drawLinks(name) {
  const lines = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  lines.setAttribute("aria-hidden", "true");
  for (const link of links) {
    if (link.gold) lines.append(drawLine(link, link.gold));
    if (link.weight >= VISIBLE) lines.append(drawLine(link, "weight"));
  }
  const row = (label, buttons) => element("div", { class: "words", dir: "auto", role: "group", "aria-label": label },
    ...buttons);
  return element("div", {}, lines, row("Source", words.source), row(name, words.target));
}

function drawLine(link, kind) {
  const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
  line.setAttribute("class", kind);
  return stands(line, link);
}

function stands(drawn, link) {
  drawn.style.setProperty("--weight", link.weight);
  link.elements.push(drawn);
  return drawn;
}

// Two rows of words where they fit, two columns where they do not.
function place() {
  if (!map.matches(".links")) return;
  map.classList.remove("columns");
  const columns = [...map.querySelectorAll(".words")].some((row) => row.scrollWidth > row.clientWidth);
  map.classList.toggle("columns", columns);
  const [from, to] = SIDES.map((side) => words[side].map(box));
  for (const link of links) {
    const path = curve(from[link.source], to[link.target], columns);
    for (const line of link.elements) line.setAttribute("d", path);
  }
}

const box = ({ offsetLeft, offsetTop, offsetWidth, offsetHeight }) =>
  ({ x: offsetLeft, y: offsetTop, width: offsetWidth, height: offsetHeight });

// From the right of one word to the left of the other, or from the foot of one to the head of the other.
function curve(from, to, columns) {
  const [x1, y1] = columns
    ? [from.x + from.width, from.y + from.height / 2] : [from.x + from.width / 2, from.y + from.height];
  const [x2, y2] = columns ? [to.x, to.y + to.height / 2] : [to.x + to.width / 2, to.y];
  const bends = columns ? [(x1 + x2) / 2, y1, (x1 + x2) / 2, y2] : [x1, (y1 + y2) / 2, x2, (y1 + y2) / 2];
  return `M${x1},${y1}C${bends},${x2},${y2}`;
}

// ---- Lighting a word and what it is linked to ----------------------------------------------------------------------

// What an element stands for: a word as { source } or { target }, a cell of the matrix as both.
function focusOf(target) {
  const holder = target?.closest?.("[data-source], [data-target]");
  const positions = Object.entries(holder?.dataset ?? {}).map(([side, position]) => [side, Number(position)]);
  return holder && Object.fromEntries(positions);
}

const holds = (focus, link) => SIDES.every((side) => (focus[side] ?? link[side]) === link[side]);

function light(focus) {
  const strength = { source: [], target: [] };
  for (const link of links) {
    const lit = Boolean(focus) && holds(focus, link);
    for (const drawn of link.elements) drawn.classList.toggle("lit", lit);
    for (const side of SIDES) if (lit && !(side in focus)) strength[side][link[side]] = link.weight;
  }
  for (const side of SIDES) {
    words[side].forEach((button, position) => {
      button.style.setProperty("--weight", strength[side][position] ?? 0);
      button.classList.toggle("lit", strength[side][position] >= VISIBLE);
      button.classList.toggle("chosen", focus?.[side] === position);
    });
  }
  map.classList.toggle("choosing", Boolean(focus));
  $("readout").replaceChildren(...(focus ? describe(focus) : ["Point at a word, or tap it, to see its links."]));
}

// "chien heeds dog 92 %, the 5 %", each word in an element so that no script's direction disturbs its neighbours.
function describe(focus) {
  const word = (side, link) => element("bdi", {}, words[side][link[side]].textContent);
  const held = links.filter((link) => holds(focus, link));
  if (SIDES.every((side) => side in focus)) {
    const [{ weight, gold }] = held;
    const judged = gold ? `, a ${gold} gold link` : "";
    return [word("target", focus), " heeds ", word("source", focus), ` ${percent(weight)}${judged}`];
  }
  const [side, other] = "target" in focus ? ["target", "source"] : ["source", "target"];
  const verb = side === "target" ? " heeds " : " is heeded by ";
  const strong = held.filter((link) => link.weight >= VISIBLE).sort((a, b) => b.weight - a.weight);
  const named = strong.flatMap((link, rank) => [rank ? ", " : "", word(other, link), ` ${percent(link.weight)}`]);
  return [word(side, focus), verb, ...(strong.length ? named : [`no word with ${percent(VISIBLE)} or more`])];
}

// From word to word along a side, and across to the strongest link.
function neighbour(button, key) {
  const focus = focusOf(button);
  const [side, other] = "target" in focus ? ["target", "source"] : ["source", "target"];
  const upright = map.matches(".columns") || (map.matches(".matrix") && side === "target");
  const ahead = getComputedStyle(button).direction === "rtl" ? -1 : 1;
  const along = upright ? { ArrowUp: -1, ArrowDown: 1 } : { ArrowLeft: -ahead, ArrowRight: ahead };
  if (key in along) return words[side][focus[side] + along[key]];
  const strongest = links.filter((link) => holds(focus, link)).sort((a, b) => b.weight - a.weight)[0];
  return strongest && words[other][strongest[other]];
}

// ---- Pointer and keyboard ------------------------------------------------------------------------------------------

const enterMap = () => map.querySelector(".word[tabindex='0']")?.focus();
const kept = () => focusOf(map.contains(document.activeElement) && document.activeElement);

function settle({ target }) {
  map.querySelector(".word[tabindex='0']")?.setAttribute("tabindex", -1);
  target.setAttribute("tabindex", 0);
  light(focusOf(target));
}

map.addEventListener("pointerover", ({ target }) => light(focusOf(target) ?? kept()));
map.addEventListener("pointerleave", () => light(kept()));
map.addEventListener("click", ({ target }) => target.closest(".word")?.focus()); // Safari focuses no clicked button
map.addEventListener("focusin", settle);
map.addEventListener("focusout", () => light());
new ResizeObserver(place).observe(map);
