// @ts-check
// Models that run on the page's server (heed.serving). Translations consist of words here, not of subwords.

/** @typedef {import("./engine.mjs").Settings} Settings */
/** @typedef {import("./panel.mjs").Translation} Translation */

/**
 * A request of the page, as in worker.mjs.
 * @typedef {{
 *   kind: string, lane: string, number: number, model: number, line: string, begin: string[], spaced: boolean,
 *   settings: Settings,
 * }} Request
 */

/**
 * A translation in the server's answer.
 * @typedef {{
 *   text: string, score: number, source_words: string[], words: string[], attention: number[][], unknown: number[],
 * }} Candidate
 */

/** How many alternatives a word has. */
const WORDS = 8;

export class Server extends EventTarget {
  /** @param {string[]} names of the models on the server */
  constructor(names) {
    super();
    this.names = names;
    /** Unanswered requests, by lane. @type {Map<string, AbortController>} */
    this.open = new Map();
  }

  /** @param {object} asked a request; it replaces an earlier one of its lane that is not answered yet */
  postMessage(asked) {
    const request = /** @type {Request} */ (asked), { kind, lane, number, model } = request;
    this.open.get(lane)?.abort();
    if (kind === "stop") return;
    const controller = new AbortController();
    this.open.set(lane, controller);
    const { signal } = controller;
    const answer = kind === "translate" ? this.translate(request, signal) : this.alternatives(request, signal);
    answer.catch((error) => ({ kind: "failed", text: error.message })).then((data) => {
      if (signal.aborted) return;
      this.dispatchEvent(new MessageEvent("message", { data: { ...data, lane, number, model } }));
    });
  }

  /** @param {Request} request @param {AbortSignal} signal */
  async translate({ model, line, begin, spaced, settings }, signal) {
    const start = performance.now(), prefix = begin.length ? begin.join(spaced ? " " : "") : null;
    const body = { ...searchOf(settings), text: line, prefix, attention: true, model: this.names[model] };
    const { translations: [best] } = await this.ask("translate", body, signal);
    const milliseconds = performance.now() - start;
    const source = { words: best.source_words, unknown: best.unknown, cut: false };
    return { kind: "done", source, candidates: [best, ...best.others].map(byWords), milliseconds };
  }

  /** @param {Request} request @param {AbortSignal} signal */
  async alternatives({ model, line, begin, spaced }, signal) {
    const level = spaced ? "word" : "piece", prefix = begin.join(spaced ? " " : "");
    const body = { text: line, prefix, count: WORDS, level, model: this.names[model] };
    const { alternatives } = await this.ask("alternatives", body, signal);
    const choices = alternatives.map((/** @type {{ word: string | null, probability: number }} */ found) => ({
      ids: found.word === null ? [] : [found.word], word: found.word ?? "", probability: found.probability,
    }));
    return { kind: "alternatives", choices };
  }

  /**
   * @param {string} path
   * @param {object} body
   * @param {AbortSignal} signal
   * @returns {Promise<any>}
   */
  async ask(path, body, signal) {
    const text = JSON.stringify(body, (_, value) =>
      (typeof value === "string" ? value.replace(/\p{Cs}/gu, "\ufffd") : value)); // half of a surrogate pair is not valid text
    const headers = { "content-type": "application/json" };
    const response = await fetch(path, { method: "POST", headers, body: text, signal }).catch(() => {
      throw new Error("the server does not answer; try again later");
    });
    const answer = await response.json();
    if (!response.ok) throw new Error(answer.error);
    return answer;
  }
}

/** @param {Settings} settings @returns {object} with the server's names */
function searchOf({ search, beamSize, temperature, count }) {
  if (search === "beam") return { search, n_best: beamSize, settings: { beam_size: beamSize } };
  if (search !== "sample") return { search };
  const seed = Math.floor(Math.random() * 2 ** 31); // different draws every time
  return { search, n_best: count, settings: { temperature, seed } };
}

/** @param {Candidate} candidate @returns {Translation} */
function byWords({ text, score, words, attention }) {
  return {
    words, text, score, ids: words, index: words.map((_, position) => position),
    spaced: words.length < 2 || text.includes(" "), rows: attention,
    ends: attention.map((row) => Math.max(0, 1 - row.reduce((sum, share) => sum + share, 0))),
    unknown: words.flatMap((word, position) => (word.includes("⁇") ? [position] : [])),
  };
}
