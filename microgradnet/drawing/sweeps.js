"use strict";

// Knows the graph and its numbers: what the operations compute, the three sweeps, how often each multiplies, and gradient
// descent. It draws nothing; the only words here are those of an error, which an operation's domain gives.

// What the operations' code calls. As in the table, outside a domain is an error, and an infinity is one where it comes
// from finite numbers through a function of `math`.

function checked(f, ...x) {
  const y = f(...x);
  if (!Number.isFinite(y) && (x.every(Number.isFinite) || (y !== y && x.every(t => t === t)))) throw new RangeError();
  return y;
}

function divided(a, b) {
  if (b === 0) throw new RangeError();
  return a / b;
}

const power = (a, n) => a === 1 || n === 0 ? 1 : checked(Math.pow, a === -Infinity && !Number.isInteger(n) ? -1 : a, n);

function positivePower(a, b) {
  if (!(a > 0)) throw new RangeError();
  return power(a, b);
}

function sigmoid(x) {
  if (x >= 0) return 1 / (1 + Math.exp(-x));
  const e = Math.exp(x);
  return e / (1 + e);
}

const sigmoidSlope = x => 0.5 / (1 + Math.cosh(x)) || Math.exp(-Math.abs(x));
const softplus = x => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
const step = x => x !== x ? x : x >= 0 ? 1 : 0;
const relu = x => x > 0 || x !== x ? x : 0;
const maximum = (a, b) => a >= b || a !== a ? a : b;
const minimum = (a, b) => a <= b || a !== a ? a : b;
const xlogy = (x, y) => x === 0 && y === 0 ? 0 : x * checked(Math.log, y);
const xlog1my = (x, y) => x === 0 && y === 1 ? 0 : x * checked(Math.log1p, -y);
const crossEntropy = (z, r) => (1 - r) * Math.max(z, 0) + r * Math.max(-z, 0) + Math.log1p(Math.exp(-Math.abs(z)));
const dot = (w, x) => w.reduce((total, w_j, j) => total + w_j * x[j], 0);

function halves(a) {
  const c = 134217729 * a, high = c - (c - a);
  return [high, a - high];
}

function exactDot(w, x) {  // with what rounding loses added up beside the sum
  let sum = 0, lost = 0;
  for (let j = 0; j < w.length; j++) {
    const p = w[j] * x[j], [a, b] = halves(w[j]), [c, d] = halves(x[j]);
    const total = sum + p, part = total - sum;
    lost += (sum - (total - part)) + (p - part) + (((a * c - p) + a * d + b * c) + b * d);
    sum = total;
  }
  return Number.isFinite(sum + lost) ? sum + lost : dot(w, x);
}

const operations = [
/*operations*/
];

const scene = JSON.parse(document.getElementById("data").textContent);

// The three sweeps, in the engine's order.

const {nodes: N, order, notes} = scene, root = N.findIndex(node => node.result);
const leaves = [...N.keys()].filter(i => !N[i].op).sort((i, j) => N[i].at[0] - N[j].at[0] || N[i].at[1] - N[j].at[1]);
const recorded = N.map(node => Number(node.data));
const wanted = leaves.filter(i => N[i].grad), trained = new Set(leaves.filter(i => N[i].trained));  // not held
let data, partials, failure, undefinedAt, flows, grads, tangents, movements;
let chosen = [...trained][0] ?? leaves[0];

function forward() {
  partials = N.map(() => []);
  failure = undefinedAt = null;
  for (const i of order) {
    const node = N[i], x = node.parents.map(p => data[p]);
    if (node.operation < 0) {
      data[i] = Number(node.data);
      partials[i] = node.partials.map(Number);
      if (node.undefined) undefinedAt ??= {node: i, text: node.undefined};
      continue;
    }
    const {domain} = scene.operations[node.operation], name = node.label ? ` (${node.label})` : "";
    const say = what => `‘${node.op}’${name} has no ${what} at ${x.map(short).join(", ")}` +
                        (domain ? `: it is defined where ${domain}.` : ".");
    try {
      data[i] = operations[node.operation].value(...x);
    } catch {
      failure = {node: i, text: say("value")};
      return;
    }
    try {
      partials[i] = operations[node.operation].partials(...x, data[i]);
    } catch {
      undefinedAt ??= {node: i, text: say("derivative")};
    }
  }
}

function backward() {
  flows = N.map(() => []);
  grads = N.map(() => 0);
  if (failure || undefinedAt) return;
  grads[root] = 1;
  for (const i of order.toReversed()) {
    N[i].parents.forEach((parent, place) => {
      if (!N[parent].grad) return;
      const term = partials[i][place] * grads[i], before = grads[parent];
      grads[parent] = before + term;
      flows[i].push({place, parent, partial: partials[i][place], term, before, after: grads[parent]});
    });
  }
}

function forwardMode() {
  tangents = N.map(() => undefined);
  movements = N.map(() => []);
  tangents[chosen] = 1;
  if (failure || undefinedAt) return;
  for (const i of order) {
    N[i].parents.forEach((parent, place) => {
      if (tangents[parent] === undefined) return;
      const term = partials[i][place] * tangents[parent];
      tangents[i] = tangents[i] === undefined ? term : tangents[i] + term;
      movements[i].push({place, parent, partial: partials[i][place], term});
    });
  }
}

function compute() {
  forward();
  backward();
  forwardMode();
}

// What has been multiplied so far: once for each edge, as `compare` counts; never for a constant.

const handed = N.map(node => node.parents.filter(p => N[p].grad).length);
const swept = {backward: false, leaves: new Set()};

function multiplied(done) {  // done: the operations that the sweep on the screen has been through
  const complete = done.size === order.length, total = products => order.reduce((sum, i) => sum + products(i), 0);
  if (complete && !inForwardMode) swept.backward = true;
  if (complete && inForwardMode && N[chosen].grad) swept.leaves.add(chosen);
  const backward = {complete: swept.backward, sweeps: 1, derivatives: wanted.length,
                    products: total(i => swept.backward || (!inForwardMode && done.has(i)) ? handed[i] : 0)};
  const before = [...swept.leaves].filter(i => i !== chosen || !inForwardMode || complete);
  const running = inForwardMode && done.size > 0 && !complete;
  const forward = {complete: true, sweeps: before.length + (running ? 1 : 0), derivatives: before.length,
                   products: before.reduce((sum, leaf) => sum + productsFrom(leaf), 0) +
                             total(i => running && done.has(i) ? movements[i].length : 0)};
  return {backward, forward};
}

const _products = new Map();
function productsFrom(leaf) {  // of its forward sweep
  if (!_products.has(leaf)) {
    const moving = new Set([leaf]);
    let total = 0;
    for (const i of order) {
      const some = N[i].parents.filter(p => moving.has(p)).length;
      total += some;
      if (some) moving.add(i);
    }
    _products.set(leaf, total);
  }
  return _products.get(leaf);
}

// Gradient descent.

let costs, descent;

function beginDescent() {  // from the leaves as they are
  descent = {start: data[root], lowest: data[root], rises: 0, rose: false, idle: 0};
}

function descend(dt) {
  const moving = [...trained], before = moving.map(i => data[i]);
  descent.before = data[root];
  descent.flat = moving.every(i => grads[i] === 0);
  descent.expected = dt * moving.reduce((sum, i) => sum + grads[i] ** 2, 0);  // how far a small step falls
  for (const i of moving) data[i] -= dt * grads[i];
  descent.moved = moving.some((i, j) => data[i] !== before[j]);
  compute();
  costs.push(failure ? NaN : data[root]);
  descent.rises = data[root] > descent.before ? descent.rises + 1 : 0;
  descent.rose ||= descent.rises > 0;
  descent.idle = data[root] < descent.lowest ? 0 : descent.idle + 1;
  descent.lowest = Math.min(descent.lowest, data[root]);
}
