// @ts-check
// One sentence's map: which source words each written word attends to, as lines between words or as a matrix.

import { element } from "./dom.mjs";
import { curve, step } from "./layout.mjs";
import {
  END, LARGE_END, MARKS, SIDES, VISIBLE, describe, isLit, pair, partners, percent, shades, spoken, visibleLinks,
} from "./weights.mjs";

/** @typedef {import("./weights.mjs").Sentence} Sentence */
/** @typedef {import("./weights.mjs").Focus} Focus */
/** @typedef {import("./weights.mjs").Link} Link */
/** @typedef {import("./weights.mjs").Side} Side */

/** Languages of the words, as the values of `lang`; undefined if not known. */
/** @typedef {{ source?: string, target?: string }} Languages */

const HINT = "Point at a word, or tap it, to see its links.";

export class AttentionMap {
  /**
   * @param {HTMLElement} container what the map is drawn in
   * @param {HTMLElement} readout where the chosen word's shares are written
   * @param {Languages} languages
   */
  constructor(container, readout, languages) {
    this.container = container;
    this.readout = readout;
    this.languages = languages;
    /** @type {Sentence} */
    this.sentence = {
      source: [], target: [], rows: [], ends: null, marks: new Map(), notes: {},
      unknown: { source: new Set(), target: new Set() },
    };
    /** The buttons of the words on the page. */
    /** @type {{ source: HTMLElement[], target: HTMLElement[] }} */
    this.words = { source: [], target: [] };
    /** The lines or cells on the page with the links that they draw. */
    /** @type {{ link: Link, node: HTMLElement | SVGElement }[]} */
    this.drawn = [];
    container.addEventListener("pointerover", ({ target }) => this.light(focusOf(target) ?? this.chosen()));
    container.addEventListener("pointerleave", () => this.light(this.chosen()));
    container.addEventListener("click", ({ target }) => wordAt(target)?.focus()); // Safari focuses no clicked button
    container.addEventListener("focusin", ({ target }) => this.settle(target));
    container.addEventListener("focusout", () => this.light(undefined));
    container.addEventListener("keydown", (event) => this.press(event));
    new ResizeObserver(() => this.place()).observe(container);
  }

  /**
   * Draw a sentence in place of the last one.
   * @param {Sentence} sentence
   * @param {string} name of the text that was written, for readers who hear the page
   * @param {string} shape "links" or "matrix"
   */
  draw(sentence, name, shape) {
    this.sentence = sentence;
    this.drawn = [];
    for (const side of SIDES) this.words[side] = sentence[side].map((_, position) => this.drawWord(side, position));
    (this.words.source[0] ?? this.words.target[0])?.setAttribute("tabindex", "0");
    this.container.className = shape;
    this.container.replaceChildren(shape === "matrix" ? this.drawMatrix(name) : this.drawLinks(name));
    this.place();
    this.readout.style.minHeight = Object.keys(sentence.notes).length ? "4.5rem" : ""; // room for a reason
    this.light(undefined);
  }

  /** @param {Side} side @param {number} position */
  drawWord(side, position) {
    const { sentence } = this;
    const end = side === "target" ? sentence.ends?.[position] ?? 0 : 0;
    const note = side === "target" ? sentence.notes[position] : undefined;
    const unknown = sentence.unknown[side].has(position) ? "unknown" : undefined;
    return element("button", {
      type: "button", class: note === undefined ? "word" : "word noted", tabindex: -1, title: note,
      lang: this.languages[side], [`data-${side}`]: position, "data-end": end >= LARGE_END ? percent(end) : undefined,
      "aria-label": spoken(describe(sentence, { [side]: position })),
    }, element("span", { class: unknown }, sentence[side][position]));
  }

  /** @param {string} name */
  drawMatrix(name) {
    const { sentence: { rows, ends }, words } = this;
    const end = ends?.some((share) => share >= LARGE_END) ? ends : null;
    const heads = words.source.map((button) => element("th", { scope: "col" }, button));
    if (end) heads.push(element("th", { scope: "col" }, element("span", { class: "word end" }, END)));
    const lines = rows.map((row, target) => element("tr", {},
      element("th", { scope: "row" }, words.target[target]),
      ...row.map((weight, source) => this.drawCell({ source, target, weight })),
      ...(end ? [this.drawEnd(target, end[target])] : [])));
    const title = `Attention of ${name.toLowerCase()}: a row for each of its words, a column for each source word`;
    const table = element("table", {}, element("caption", {}, title),
      element("thead", {}, element("tr", {}, element("td"), ...heads)), element("tbody", {}, ...lines));
    table.style.setProperty("--columns", `${heads.length}`);
    return table;
  }

  /** @param {Link} link */
  drawCell(link) {
    const { marks, notes } = this.sentence;
    const mark = marks.get(pair(link.source, link.target));
    const said = percent(link.weight) + (mark ? `, ${MARKS[mark]}` : "");
    const kind = [mark, link.target in notes ? "noted" : undefined].filter(Boolean).join(" ") || undefined;
    const attributes = { class: kind, "data-source": link.source, "data-target": link.target };
    return this.remember(element("td", attributes, element("span", {}, said)), link);
  }

  /** @param {number} target @param {number} share */
  drawEnd(target, share) {
    const kind = target in this.sentence.notes ? "end noted" : "end";
    const cell = element("td", { class: kind, "data-target": target }, element("span", {}, percent(share)));
    cell.style.setProperty("--weight", `${share}`);
    return cell;
  }

  /** @param {string} name */
  drawLinks(name) {
    const lines = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    lines.setAttribute("aria-hidden", "true");
    for (const link of visibleLinks(this.sentence)) {
      if (link.mark) lines.append(this.drawLine(link, link.mark));
      if (link.weight >= VISIBLE) lines.append(this.drawLine(link, "weight"));
    }
    /** @param {string} label @param {HTMLElement[]} buttons */
    const row = (label, buttons) =>
      element("div", { class: "words", dir: "auto", role: "group", "aria-label": label }, ...buttons);
    return element("div", {}, lines, row("Source", this.words.source), row(name, this.words.target));
  }

  /** @param {Link} link @param {string} kind */
  drawLine(link, kind) {
    const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
    line.setAttribute("class", link.target in this.sentence.notes ? `${kind} noted` : kind);
    return this.remember(line, link);
  }

  /**
   * @template {HTMLElement | SVGElement} Drawn
   * @param {Drawn} node
   * @param {Link} link
   * @returns {Drawn}
   */
  remember(node, link) {
    node.style.setProperty("--weight", `${link.weight}`);
    this.drawn.push({ link, node });
    return node;
  }

  /** Two rows of words if they fit, two columns if they do not. */
  place() {
    const { container, words } = this;
    if (!container.matches(".links")) return;
    container.classList.remove("columns");
    const columns = [...container.querySelectorAll(".words")].some((row) => row.scrollWidth > row.clientWidth);
    container.classList.toggle("columns", columns);
    const [from, to] = SIDES.map((side) => words[side].map(box));
    for (const { link, node } of this.drawn) node.setAttribute("d", curve(from[link.source], to[link.target], columns));
  }

  /** @param {Focus | undefined} focus what to show the links of; undefined for all of them */
  light(focus) {
    for (const { link, node } of this.drawn) node.classList.toggle("lit", isLit(focus, link));
    const strength = shades(this.sentence, focus);
    for (const side of SIDES) {
      this.words[side].forEach((button, position) => {
        button.style.setProperty("--weight", `${strength[side][position]}`);
        button.classList.toggle("lit", strength[side][position] >= VISIBLE);
        button.classList.toggle("chosen", focus?.[side] === position);
      });
    }
    this.container.classList.toggle("choosing", focus !== undefined);
    // Each word in an element of its own, so that the direction of its script does not disturb its neighbours.
    const parts = focus ? describe(this.sentence, focus) : [HINT];
    this.readout.replaceChildren(
      ...parts.map((part) => (typeof part === "string" ? unbroken(part) : element("bdi", {}, part.word))));
    // A line that shrinks again would move the map from under the pointer, and back, without end.
    this.readout.style.minHeight = `${this.readout.offsetHeight}px`;
  }

  /** @returns {Focus | undefined} the word that has the keyboard's focus */
  chosen() {
    return this.container.contains(document.activeElement) ? focusOf(document.activeElement) : undefined;
  }

  /** @param {EventTarget | null} target the word that has got the keyboard's focus */
  settle(target) {
    this.container.querySelector(".word[tabindex='0']")?.setAttribute("tabindex", "-1");
    if (target instanceof HTMLElement) target.setAttribute("tabindex", "0");
    this.light(focusOf(target));
  }

  /** Move the keyboard's focus to the word that it was last at, or to the first. */
  enter() {
    const word = this.container.querySelector(".word[tabindex='0']");
    if (word instanceof HTMLElement) word.focus();
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    const word = wordAt(event.target);
    if (!word || !event.key.startsWith("Arrow") || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    this.neighbour(word, event.key)?.focus();
  }

  /**
   * From word to word along a side, and across to the strongest link.
   * @param {HTMLElement} button
   * @param {string} key
   * @returns {HTMLElement | undefined}
   */
  neighbour(button, key) {
    const focus = focusOf(button) ?? {};
    const side = "target" in focus ? "target" : "source";
    const { container, words } = this;
    const upright = container.matches(".columns") || (container.matches(".matrix") && side === "target");
    const along = step(key, upright, getComputedStyle(button).direction === "rtl");
    if (along) return words[side][(focus[side] ?? 0) + along];
    const strongest = partners(this.sentence, focus).find(({ position }) => position !== null);
    return words[side === "target" ? "source" : "target"][strongest?.position ?? -1];
  }
}

/**
 * What an element stands for: a word as { source } or { target }, a cell of the matrix as both.
 * @param {EventTarget | null} target
 * @returns {Focus | undefined}
 */
function focusOf(target) {
  const holder = target instanceof Element ? target.closest("[data-source], [data-target]") : null;
  if (!(holder instanceof HTMLElement)) return undefined;
  /** @type {Focus} */
  const focus = {};
  for (const side of SIDES) if (side in holder.dataset) focus[side] = Number(holder.dataset[side]);
  return focus;
}

/** @param {string} text @returns {string} the text with no line break between a number and its % */
const unbroken = (text) => text.replaceAll(" %", "\u00a0%");

/** @param {EventTarget | null} target @returns {HTMLElement | null} */
const wordAt = (target) => (target instanceof Element ? target.closest("button.word") : null);

/** @param {HTMLElement} word */
const box = (word) => ({ x: word.offsetLeft, y: word.offsetTop, width: word.offsetWidth, height: word.offsetHeight });
