// @ts-check
// The whole model: encode a source sentence, then step through a translation. heed.models.decoder and its encoder.

import { attend, kindOf } from "./attention.mjs";
import { encode, step } from "./gru.mjs";
import { beside, choose, product, tanh } from "./products.mjs";

/** @typedef {import("./packed.mjs").Tensor} Tensor */
/** @typedef {import("./packed.mjs").Architecture} Architecture */
/** @typedef {import("./attention.mjs").Memory} Memory */
/** @typedef {import("./gru.mjs").Cell} Cell */

/**
 * Where each row stands after its words so far: the state of every layer, the weights that each source position had,
 * and what the last look at the source gave the GRU to read.
 * @typedef {{ rows: number, hidden: Float64Array[], covered: Float64Array, found: Float64Array }} State
 */

/** @param {State} state @param {number[]} rows @returns {State} the states of these rows, in that order */
export const select = (state, rows) => ({
  rows: rows.length,
  hidden: state.hidden.map((layer) => choose(layer, state.rows, rows)),
  covered: choose(state.covered, state.rows, rows),
  found: choose(state.found, state.rows, rows),
});

export class Model {
  /** @param {Architecture} architecture @param {Record<string, Tensor>} tensors */
  constructor(architecture, tensors) {
    this.architecture = architecture;
    this.tensors = tensors;
    this.encoderLayers = Array.from({ length: architecture.enc_layers }, (_, layer) => encoderCells(this, layer));
    this.cells = Array.from({ length: architecture.dec_layers }, (_, layer) => decoderCell(tensors, `cells.${layer}`));
    this.secondCell = architecture.query === "conditional" ? decoderCell(tensors, "second_cell") : null;
    this.kind = kindOf(architecture.score, architecture.heads, below(tensors, "decoder.attention.attn."));
    this.combine = this.linear("decoder.attention.attn_combine");
    this.vocab = tensors["decoder.output.weight"].rows;
  }

  /** @param {string} name */
  linear(name) {
    return { weight: this.tensors[`${name}.weight`], bias: this.tensors[`${name}.bias`] };
  }

  /**
   * What a search starts from: one row, and what it will attend to.
   * @param {number[]} ids of the source, its end included
   * @returns {{ state: State, memory: Memory }}
   */
  encode(ids) {
    const emb = embed(ids, this.tensors["encoder.embedding.weight"]);
    const { states, summary } = encode(this.encoderLayers, emb, ids.length);
    const attended = this.architecture.attend_end ? ids.length : Math.max(ids.length - 1, 1);
    const memory = { keys: this.kind.project(states, ids.length, attended), values: states, length: ids.length, attended };
    const { weight, bias } = this.linear("decoder.bridge");
    const bridged = product(summary, 1, weight, bias).map(tanh);
    const width = bridged.length / this.cells.length;
    const state = {
      rows: 1,
      hidden: this.cells.map((_, layer) => bridged.slice(layer * width, (layer + 1) * width)),
      covered: new Float64Array(ids.length),
      found: new Float64Array(this.combine.weight.rows),
    };
    return { state: this.architecture.query === "current" ? this.look(state, memory).state : state, memory };
  }

  /**
   * Read one word a row; give logits for the next, the states after it, and the weights that belong to the next.
   * @param {number[]} tokens
   * @param {State} state
   * @param {Memory} memory
   * @returns {{ logits: Float64Array, state: State, weights: Float64Array }}
   */
  step(tokens, state, memory) {
    const rows = tokens.length;
    const emb = embed(tokens, this.tensors["decoder.embedding.weight"]);
    let looked;
    if (this.architecture.query === "previous") {
      looked = this.look(state, memory);
      state = this.readWord(emb, looked.state);
    } else {
      looked = this.look(this.readWord(emb, state), memory);
      state = this.readFound(looked.state);
    }
    const readout = this.linear("decoder.readout"), output = this.linear("decoder.output");
    const top = state.hidden[state.hidden.length - 1];
    const read = product(beside(rows, top, looked.context, emb), rows, readout.weight, readout.bias);
    return { logits: product(read, rows, output.weight, output.bias), state, weights: looked.weights };
  }

  /** @param {State} state @param {Memory} memory */
  look(state, memory) {
    const { output, context, weights } = attend(
      this.kind, this.combine, state.hidden[0], state.rows, memory, state.covered);
    const covered = state.covered.map((had, at) => had + weights[at]);
    return { state: { ...state, covered, found: output }, context, weights };
  }

  /** @param {Float64Array} emb @param {State} state @returns {State} */
  readWord(emb, state) {
    let read = this.secondCell ? emb : beside(state.rows, emb, state.found);
    const hidden = this.cells.map((cell, layer) => (read = step(cell, read, state.hidden[layer], state.rows)));
    return { ...state, hidden };
  }

  /** The second cell of a conditional GRU, if there is one. @param {State} state @returns {State} */
  readFound(state) {
    if (!this.secondCell) return state;
    return { ...state, hidden: [step(this.secondCell, state.found, state.hidden[0], state.rows)] };
  }
}

/** @param {number[]} ids @param {Tensor} matrix rows of it, times the root of their size */
function embed(ids, { data, columns }) {
  const out = new Float64Array(ids.length * columns), scale = Math.sqrt(columns);
  ids.forEach((id, row) => {
    for (let i = 0; i < columns; i++) out[row * columns + i] = data[id * columns + i] * scale;
  });
  return out;
}

/** @param {Record<string, Tensor>} tensors @param {string} prefix */
function below(tensors, prefix) {
  const own = Object.entries(tensors).filter(([name]) => name.startsWith(prefix));
  return Object.fromEntries(own.map(([name, tensor]) => [name.slice(prefix.length), tensor]));
}

/**
 * @param {Record<string, Tensor>} tensors
 * @param {string} name
 * @returns {{ gain: Tensor, shift: Tensor } | undefined}
 */
const norm = (tensors, name) =>
  (`${name}.weight` in tensors ? { gain: tensors[`${name}.weight`], shift: tensors[`${name}.bias`] } : undefined);

/** @param {Model} model @param {number} layer @returns {Cell[]} */
function encoderCells({ architecture, tensors }, layer) {
  const ways = architecture.bidirectional ? ["", "_reverse"] : [""];
  return ways.map((way, direction) => {
    const place = layer * ways.length + direction;
    /** @param {string} part */
    const own = (part) => tensors[`encoder.gru.${part}_l${layer}${way}`];
    return {
      weightInput: own("weight_ih"), biasInput: own("bias_ih"),
      weightState: own("weight_hh"), biasState: own("bias_hh"),
      normInput: norm(tensors, `encoder.norm_input.${place}`),
      normState: norm(tensors, `encoder.norm_hidden.${place}`),
    };
  });
}

/** @param {Record<string, Tensor>} tensors @param {string} name @returns {Cell} */
function decoderCell(tensors, name) {
  /** @param {string} part */
  const own = (part) => tensors[`decoder.${name}.${part}`];
  return {
    weightInput: own("weight_ih"), biasInput: own("bias_ih"), weightState: own("weight_hh"), biasState: own("bias_hh"),
    normInput: norm(tensors, `decoder.${name}.norm_input`),
    normState: norm(tensors, `decoder.${name}.norm_hidden`),
  };
}
