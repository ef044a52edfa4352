// @ts-check
// Where things stand: the curve of a link, the step of an arrow key, the rows of a list. Runs without a page too.

/** @typedef {{ x: number, y: number, width: number, height: number }} Box */

/**
 * The curve of a link between two words, as the `d` of an SVG path: downwards between rows, sideways between columns.
 * @param {Box} from
 * @param {Box} to
 * @param {boolean} columns
 * @returns {string}
 */
export function curve(from, to, columns) {
  const [x1, y1] = columns
    ? [from.x + from.width, from.y + from.height / 2] : [from.x + from.width / 2, from.y + from.height];
  const [x2, y2] = columns ? [to.x, to.y + to.height / 2] : [to.x + to.width / 2, to.y];
  const bends = columns ? [(x1 + x2) / 2, y1, (x1 + x2) / 2, y2] : [x1, (y1 + y2) / 2, x2, (y1 + y2) / 2];
  return `M${x1},${y1}C${bends},${x2},${y2}`;
}

/**
 * How far an arrow key moves along a side: 1, -1, or 0 if it leads across to the other side.
 * @param {string} key
 * @param {boolean} upright whether the words stand below each other
 * @param {boolean} rightToLeft
 * @returns {number}
 */
export function step(key, upright, rightToLeft) {
  if (upright) return Number(key === "ArrowDown") - Number(key === "ArrowUp");
  return (Number(key === "ArrowRight") - Number(key === "ArrowLeft")) * (rightToLeft ? -1 : 1);
}

/**
 * The rows of a long list that are near the window.
 * @param {number} top how far the list's top is above the window's
 * @param {number} windowHeight
 * @param {number} rowHeight
 * @param {number} count
 * @param {number} spare rows above and below the window, so that a quick scroll does not show a gap
 * @returns {{ first: number, end: number }}
 */
export function rowsInView(top, windowHeight, rowHeight, count, spare) {
  return {
    first: Math.max(0, Math.floor(top / rowHeight) - spare),
    end: Math.min(count, Math.ceil((top + windowHeight) / rowHeight) + spare),
  };
}
