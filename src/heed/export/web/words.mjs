// @ts-check
// Attention between subwords as attention between words: heed.maps.

import { SPACE, splitWords } from "./subwords.mjs";

/** @typedef {import("./subwords.mjs").Subwords} Subwords */
/** Words, the word of each subword, and whether spaces divide them. */
/** @typedef {{ words: string[], index: number[], spaced: boolean }} Words */

/** Thai, Lao, Burmese, Khmer, Japanese and Chinese letters, between whose words no space is written. */
const UNSPACED = /[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\u{20000}-\u{3ffff}]/u;

/**
 * The words of a line as it was typed, and those of the subwords that the model reads of it.
 * @param {string} line
 * @param {Subwords} subwords
 * @returns {Words & { ids: number[] }}
 */
export function divideLine(line, subwords) {
  const pieces = subwords.encodeWords(line);
  const ids = pieces.flat();
  const words = splitWords(line);
  if (words.length === 1 && UNSPACED.test(words[0])) return { ids, ...piecesAsWords(ids, subwords) };
  return { ids, words, index: pieces.flatMap((own, word) => own.map(() => word)), spaced: true };
}

/**
 * The words of subwords that a model wrote.
 * @param {number[]} ids
 * @param {Subwords} subwords
 * @returns {Words}
 */
export function divide(ids, subwords) {
  const words = subwords.words(ids);
  if (words.length === 1 && UNSPACED.test(words[0])) return piecesAsWords(ids, subwords);
  return { words, index: subwords.wordIndex(ids), spaced: true };
}

/** @param {number[]} ids @param {Subwords} subwords @returns {Words} */
function piecesAsWords(ids, subwords) {
  /** @type {string[]} */
  const words = [];
  const index = ids.map((id) => {
    const piece = subwords.pieces[id];
    const text = piece.startsWith(SPACE) ? piece.slice(1) : piece;
    if (words.length && !words[words.length - 1]) words[words.length - 1] = text; // the mark of a space, alone
    else words.push(text);
    return words.length - 1;
  });
  return { words, index, spaced: false };
}

/**
 * A row for each written word and a column for each source word, and one more for the source's end: columns of one
 * word are summed, rows of one word averaged. The row of the written end is left out.
 * @param {ArrayLike<number>[]} rows a row for each piece, the last column that of the source's end
 * @param {Words} source
 * @param {Words} target
 * @returns {number[][]}
 */
export function wordMap(rows, source, target) {
  const map = target.words.map(() => Array(source.words.length + 1).fill(0));
  const sizes = target.words.map((_, word) => target.index.filter((own) => own === word).length);
  target.index.forEach((word, row) => {
    source.index.forEach((column, piece) => (map[word][column] += rows[row][piece] / sizes[word]));
    map[word][source.words.length] += rows[row][source.index.length] / sizes[word];
  });
  return map;
}

/**
 * Whether a subword continues with letters or digits of the word before it; those that open a word have ▁ in front.
 * @param {string} piece
 */
export const lengthens = (piece) => /^[\p{L}\p{N}]/u.test(piece) && !UNSPACED.test([...piece][0]);
