// @ts-check
// The attention of one sentence as numbers: its links, and what a chosen word or cell says. Runs without a page too.

import { bytes } from "./pack.mjs";

/** A pair of words; `mark` says what else is known of it: a key of MARKS. */
/** @typedef {{ source: number, target: number, weight: number, mark?: string }} Link */

/** What the reader points at: a source word, a target word, or the cell of both. */
/** @typedef {{ source?: number, target?: number }} Focus */

/** @typedef {"source" | "target"} Side */

/**
 * One sentence's map. `rows[target][source]` is a share from 0 to 1; `ends[target]`, if known, is the share of the
 * source's end; `notes` gives the reason why the row of a word should not be trusted; `unknown` holds the positions
 * of words that the model does not know.
 * @typedef {{
 *   source: string[], target: string[], rows: number[][], ends: number[] | null, marks: Map<string, string>,
 *   notes: Record<string, string>, unknown: { source: Set<number>, target: Set<number> },
 * }} Sentence
 */

/** A weaker link is neither drawn nor named: as a line it could hardly be seen. */
export const VISIBLE = 0.05;

/** From here on the share of the source's end is written beside the word, without the reader asking for it. */
export const LARGE_END = 0.3;

export const END = "</s>";

/** @type {Side[]} */
export const SIDES = ["source", "target"];

/** @type {Record<string, string>} */
export const MARKS = {
  sure: "a sure gold link",
  possible: "a possible gold link",
  aligned: "an aligned pair",
};

/** @param {number | null} share @returns {string} */
export const percent = (share) => (share === null ? "–" : `${Math.round(share * 100)} %`);

/**
 * The rows of a map, and the share of the source's end if there is one column more than source words.
 * @param {string} base64 one byte a weight, row by row
 * @param {number} sources
 * @param {number} targets
 * @returns {{ rows: number[][], ends: number[] | null }}
 */
export function readWeights(base64, sources, targets) {
  const levels = bytes(base64);
  const columns = targets ? levels.length / targets : sources;
  const rows = Array.from({ length: targets }, (_, target) =>
    Array.from({ length: sources }, (_, source) => levels[target * columns + source] / 255));
  const ends = columns > sources ? rows.map((_, target) => levels[target * columns + sources] / 255) : null;
  return { rows, ends };
}

/** @param {number} source @param {number} target @returns {string} the key of a pair in `Sentence.marks` */
export const pair = (source, target) => `${source}-${target}`;

/**
 * The links that lines are drawn for: those that are strong enough, and those with a mark.
 * @param {Sentence} sentence
 * @returns {Link[]}
 */
export function visibleLinks({ rows, marks }) {
  return rows.flatMap((row, target) => row
    .map((weight, source) => ({ source, target, weight, mark: marks.get(pair(source, target)) }))
    .filter(({ weight, mark }) => weight >= VISIBLE || mark !== undefined));
}

/**
 * Whether a link belongs to what the reader points at.
 * @param {Focus | undefined} focus
 * @param {{ source: number, target: number }} link
 */
export const isLit = (focus, link) =>
  focus !== undefined && SIDES.every((side) => (focus[side] ?? link[side]) === link[side]);

/**
 * How strongly each word is coloured: by its link to the chosen word, not at all if it has none.
 * @param {Sentence} sentence
 * @param {Focus | undefined} focus
 * @returns {{ source: number[], target: number[] }} shares from 0 to 1
 */
export function shades({ source, target, rows }, focus) {
  const alone = focus && (focus.source === undefined) !== (focus.target === undefined);
  return {
    source: source.map((_, at) => (alone && focus.target !== undefined ? rows[focus.target][at] : 0)),
    target: target.map((_, at) => (alone && focus.source !== undefined ? rows[at][focus.source] : 0)),
  };
}

/**
 * The words on the other side of a chosen word, with their shares, strongest first; null stands for the source's end.
 * @param {Sentence} sentence
 * @param {Focus} focus a word, not a cell
 * @returns {{ position: number | null, weight: number }[]}
 */
export function partners({ rows, ends }, { source, target }) {
  /** @type {{ position: number | null, weight: number }[]} */
  const all = (target === undefined ? rows.map((row) => row[source ?? 0]) : rows[target])
    .map((weight, position) => ({ position, weight }));
  if (target !== undefined && ends) all.push({ position: null, weight: ends[target] });
  return all.sort((a, b) => b.weight - a.weight);
}

/**
 * What is said of a word or a cell: "chien attends to dog 92 %, the 5 %", in parts, of which `word` are words.
 * @param {Sentence} sentence
 * @param {Focus} focus
 * @returns {(string | { word: string })[]}
 */
export function describe(sentence, focus) {
  const { source, target } = focus;
  const note = target === undefined ? undefined : sentence.notes[target];
  const remark = note === undefined ? [] : [`. ${note}`];
  if (source !== undefined && target !== undefined) {
    const mark = sentence.marks.get(pair(source, target));
    const judged = mark ? `, ${MARKS[mark]}` : "";
    const share = ` ${percent(sentence.rows[target][source])}${judged}`;
    return [{ word: sentence.target[target] }, " attends to ", { word: sentence.source[source] }, share, ...remark];
  }
  const [side, other] = /** @type {[Side, Side]} */ (target === undefined ? SIDES : ["target", "source"]);
  const chosen = /** @type {number} */ (focus[side]);
  const strong = partners(sentence, focus).filter(({ weight }) => weight >= VISIBLE);
  const named = strong.flatMap(({ position, weight }, rank) => [
    rank ? ", " : "",
    { word: position === null ? END : sentence[other][position] },
    `${position === null ? " (end of the source)" : ""} ${percent(weight)}`,
  ]);
  const unknown = sentence.unknown[side].has(chosen) ? " (unknown to the model)" : "";
  const verb = side === "target" ? " attends to " : " is attended to by ";
  const rest = strong.length ? named : [`no word with ${percent(VISIBLE)} or more`];
  return [{ word: sentence[side][chosen] }, `${unknown}${verb}`, ...rest, ...remark];
}

/**
 * The text of parts that `describe` returned, for a reader who hears it.
 * @param {(string | { word: string })[]} parts
 */
export const spoken = (parts) => parts.map((part) => (typeof part === "string" ? part : part.word)).join("");
