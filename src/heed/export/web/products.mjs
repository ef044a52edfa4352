// @ts-check
// Matrix products and the functions between them. Numbers of a model are float32, what is computed is float64: the
// engine of a browser would convert every float32 that it reads to float64 again.

/** @typedef {import("./packed.mjs").Tensor} Tensor */

/**
 * W x + b for each row of x.
 *
 * Loops compute ten results at a time for five rows, which is the usual size of a beam, and eight for one row, so that
 * each number is read once for several: 3.2 and 2.4 thousand million products a second on one core, 1.5 without this.
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
  for (; row < rows; row++) oneRow(x, row, weight, out);
  if (bias) addToRows(out, bias.data);
  return out;
}

/** @param {Float64Array} x @param {number} row @param {Tensor} weight @param {Float64Array} out */
function oneRow(x, row, { data, rows: outputs, columns: n }, out) {
  const start = row * n, whole = outputs - (outputs % 8);
  for (let output = 0; output < whole; output += 8) {
    let a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0;
    for (let i = 0, w = output * n; i < n; i++, w++) {
      const v = x[start + i];
      a += data[w] * v;
      b += data[w + n] * v;
      c += data[w + 2 * n] * v;
      d += data[w + 3 * n] * v;
      e += data[w + 4 * n] * v;
      f += data[w + 5 * n] * v;
      g += data[w + 6 * n] * v;
      h += data[w + 7 * n] * v;
    }
    const at = row * outputs + output;
    out[at] = a;
    out[at + 1] = b;
    out[at + 2] = c;
    out[at + 3] = d;
    out[at + 4] = e;
    out[at + 5] = f;
    out[at + 6] = g;
    out[at + 7] = h;
  }
  for (let output = whole; output < outputs; output++) out[row * outputs + output] = dot(data, output * n, x, start, n);
}

/** @param {Float64Array} x @param {number} row the first of five @param {Tensor} weight @param {Float64Array} out */
function fiveRows(x, row, { data, rows: outputs, columns: n }, out) {
  const whole = outputs - (outputs % 2);
  const x0 = row * n, x1 = x0 + n, x2 = x1 + n, x3 = x2 + n, x4 = x3 + n;
  for (let output = 0; output < whole; output += 2) {
    let a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0, j = 0, k = 0;
    for (let i = 0, w = output * n; i < n; i++, w++) {
      const v = data[w], u = data[w + n];
      const p = x[x0 + i], q = x[x1 + i], r = x[x2 + i], s = x[x3 + i], t = x[x4 + i];
      a += v * p;
      b += v * q;
      c += v * r;
      d += v * s;
      e += v * t;
      f += u * p;
      g += u * q;
      h += u * r;
      j += u * s;
      k += u * t;
    }
    const o0 = row * outputs + output, o1 = o0 + outputs, o2 = o1 + outputs, o3 = o2 + outputs, o4 = o3 + outputs;
    out[o0] = a;
    out[o1] = b;
    out[o2] = c;
    out[o3] = d;
    out[o4] = e;
    out[o0 + 1] = f;
    out[o1 + 1] = g;
    out[o2 + 1] = h;
    out[o3 + 1] = j;
    out[o4 + 1] = k;
  }
  if (whole === outputs) return;
  for (let own = 0; own < 5; own++) out[(row + own + 1) * outputs - 1] = dot(data, whole * n, x, (row + own) * n, n);
}

/**
 * Sum of products of two rows.
 * @param {ArrayLike<number>} a
 * @param {number} aStart
 * @param {ArrayLike<number>} b
 * @param {number} bStart
 * @param {number} count
 */
export function dot(a, aStart, b, bStart, count) {
  let sum = 0;
  for (let i = 0; i < count; i++) sum += a[aStart + i] * b[bStart + i];
  return sum;
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
 * The rows at some places, in this order; rows may be repeated.
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
