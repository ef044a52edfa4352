// @ts-check
// Matrix products and the functions between them. Numbers of a model are float32, what is computed is float64: the
// engine of a browser would convert every float32 that it reads to float64 again.

/** @typedef {import("./packed.mjs").Tensor} Tensor */

/**
 * W x + b for each row of x. Several rows are computed together, so that each weight is read once for all of them.
 * @param {Float64Array} x rows of `weight.columns` numbers
 * @param {number} rows
 * @param {Tensor} weight
 * @param {Tensor | undefined} bias
 * @returns {Float64Array} rows of `weight.rows` numbers
 */
export function product(x, rows, weight, bias) {
  const out = new Float64Array(rows * weight.rows);
  let row = 0;
  for (; row + 5 <= rows; row += 5) fiveRows(x, row, weight, out);
  for (; row + 2 <= rows; row += 2) twoRows(x, row, weight, out);
  for (; row < rows; row++) oneRow(x, row, weight, out);
  if (bias) addToRows(out, bias.data);
  return out;
}

/** @param {Float64Array} x @param {number} row @param {Tensor} weight @param {Float64Array} out */
function oneRow(x, row, { data, rows: outputs, columns }, out) {
  const start = row * columns, even = columns - (columns % 4);
  for (let output = 0, w = 0; output < outputs; output++) {
    let a = 0, b = 0, c = 0, d = 0;
    let i = start;
    for (const end = start + even; i < end; i += 4, w += 4) {
      a += data[w] * x[i];
      b += data[w + 1] * x[i + 1];
      c += data[w + 2] * x[i + 2];
      d += data[w + 3] * x[i + 3];
    }
    for (const end = start + columns; i < end; i++, w++) a += data[w] * x[i];
    out[row * outputs + output] = a + b + c + d;
  }
}

/** @param {Float64Array} x @param {number} row @param {Tensor} weight @param {Float64Array} out */
function twoRows(x, row, { data, rows: outputs, columns }, out) {
  const start = row * columns, even = columns - (columns % 2);
  for (let output = 0, w = 0; output < outputs; output++) {
    let a = 0, b = 0, c = 0, d = 0;
    let i = start;
    for (const end = start + even; i < end; i += 2, w += 2) {
      const first = data[w], second = data[w + 1];
      a += first * x[i];
      b += first * x[i + columns];
      c += second * x[i + 1];
      d += second * x[i + columns + 1];
    }
    if (even < columns) {
      a += data[w] * x[i];
      b += data[w] * x[i + columns];
      w++;
    }
    out[row * outputs + output] = a + c;
    out[(row + 1) * outputs + output] = b + d;
  }
}

/** Five is the usual size of a beam. @param {Float64Array} x @param {number} row @param {Tensor} weight @param {Float64Array} out */
function fiveRows(x, row, { data, rows: outputs, columns }, out) {
  const x0 = row * columns, x1 = x0 + columns, x2 = x1 + columns, x3 = x2 + columns, x4 = x3 + columns;
  for (let output = 0, w = 0; output < outputs; output++) {
    let a = 0, b = 0, c = 0, d = 0, e = 0;
    for (let i = 0; i < columns; i++, w++) {
      const value = data[w];
      a += value * x[x0 + i];
      b += value * x[x1 + i];
      c += value * x[x2 + i];
      d += value * x[x3 + i];
      e += value * x[x4 + i];
    }
    const at = row * outputs + output;
    out[at] = a;
    out[at + outputs] = b;
    out[at + 2 * outputs] = c;
    out[at + 3 * outputs] = d;
    out[at + 4 * outputs] = e;
  }
}

/** @param {Float64Array} out @param {ArrayLike<number>} vector */
function addToRows(out, vector) {
  for (let at = 0; at < out.length; at += vector.length) {
    for (let i = 0; i < vector.length; i++) out[at + i] += vector[i];
  }
}

/**
 * Rows of several matrices beside one another.
 * @param {number} rows
 * @param {...Float64Array} parts
 * @returns {Float64Array}
 */
export function beside(rows, ...parts) {
  const width = parts.reduce((sum, part) => sum + part.length / rows, 0);
  const out = new Float64Array(rows * width);
  let start = 0;
  for (const part of parts) {
    const own = part.length / rows;
    for (let row = 0; row < rows; row++) out.set(part.subarray(row * own, (row + 1) * own), row * width + start);
    start += own;
  }
  return out;
}

/**
 * The rows at some places, in that order; a row may be chosen more than once.
 * @param {Float64Array} matrix
 * @param {number} rows
 * @param {number[]} chosen
 * @returns {Float64Array}
 */
export function choose(matrix, rows, chosen) {
  const width = matrix.length / rows;
  const out = new Float64Array(chosen.length * width);
  chosen.forEach((row, at) => out.set(matrix.subarray(row * width, (row + 1) * width), at * width));
  return out;
}

/** @param {number} x */
export const sigmoid = (x) => 1 / (1 + Math.exp(-x));

/** tanh by one exponential, a third of the time of Math.tanh. @param {number} x */
export const tanh = (x) => 1 - 2 / (1 + Math.exp(2 * x));

/**
 * Softmax of each row, in place.
 * @param {Float64Array} matrix
 * @param {number} width
 * @returns {Float64Array}
 */
export function softmax(matrix, width) {
  for (let start = 0; start < matrix.length; start += width) {
    let largest = -Infinity, sum = 0;
    for (let i = start; i < start + width; i++) if (matrix[i] > largest) largest = matrix[i];
    for (let i = start; i < start + width; i++) sum += matrix[i] = Math.exp(matrix[i] - largest);
    for (let i = start; i < start + width; i++) matrix[i] /= sum;
  }
  return matrix;
}

/**
 * Logarithm of the softmax of each row, in place.
 * @param {Float64Array} matrix
 * @param {number} width
 * @returns {Float64Array}
 */
export function logSoftmax(matrix, width) {
  for (let start = 0; start < matrix.length; start += width) {
    let largest = -Infinity, sum = 0;
    for (let i = start; i < start + width; i++) if (matrix[i] > largest) largest = matrix[i];
    for (let i = start; i < start + width; i++) sum += Math.exp(matrix[i] - largest);
    const shift = largest + Math.log(sum);
    for (let i = start; i < start + width; i++) matrix[i] -= shift;
  }
  return matrix;
}
