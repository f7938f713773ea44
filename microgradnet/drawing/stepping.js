"use strict";

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

const power = (a, n) => a === 1 || n === 0 ? 1 : checked(Math.pow, a, n);

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
const find = id => document.getElementById(id);

// Numbers as text, as Python writes them.

function rounded(x) {  // to four digits, a tie to the even one
  const tie = x.toExponential(40).match(/^(-?\d)\.(\d{3})50*e(.*)$/);
  if (tie && Number(tie[2]) % 2 === 0) return `${tie[1]}.${tie[2]}e${tie[3]}`;
  return x.toExponential(3);
}

function positional(text, high) {
  const [mantissa, power] = text.split("e"), e = Number(power), sign = mantissa.startsWith("-") ? "-" : "";
  const digits = mantissa.replace(/[-.]/g, "").replace(/0+$/, "") || "0";
  if (e < -4 || e >= high) {
    const fraction = digits.length > 1 ? "." + digits.slice(1) : "";
    return `${sign}${digits[0]}${fraction}e${e < 0 ? "-" : "+"}${String(Math.abs(e)).padStart(2, "0")}`;
  }
  if (e < 0) return sign + "0." + "0".repeat(-e - 1) + digits;
  const whole = digits.padEnd(e + 1, "0");
  return sign + whole.slice(0, e + 1) + (whole.length > e + 1 ? "." + whole.slice(e + 1) : "");
}

const special = x => x !== x ? "NaN" : x > 0 ? "∞" : "-∞";
const plain = x => Number.isFinite(x) ? positional(rounded(x + 0), 4) : special(x);
const short = x => plain(x).replaceAll("-", "−");

function exact(x) {
  if (!Number.isFinite(x)) return special(x);
  const text = (Object.is(x, -0) ? "-" : "") + positional(x.toExponential(), 16);
  return /[.e]/.test(text) ? text : text + ".0";
}

function decimal(text) {  // as [integer, exponent]
  const [mantissa, power = "0"] = text.split("e"), [whole, fraction = ""] = mantissa.split(".");
  return [BigInt(whole + fraction), Number(power) - fraction.length];
}

function resultOf(sign, a, b, result) {  // with ≈ where the rounded numbers do not give the rounded result
  let equal = "=";
  if ([a, b, result].every(Number.isFinite)) {
    const parts = [a, b, result].map(x => decimal(plain(x)));
    const [[m, e], [n, f]] = parts, low = Math.min(...parts.map(([, exponent]) => exponent), e + f);
    const scaled = ([digits, exponent]) => digits * 10n ** BigInt(exponent - low);
    const given = sign === "+" ? scaled(parts[0]) + scaled(parts[1]) : scaled([m * n, e + f]);
    equal = given === scaled(parts[2]) ? "=" : "≈";
  }
  return `${short(a)} ${sign} ${short(b)} ${equal} ${short(result)}`;
}

// The three sweeps, in the engine's order.

const {nodes: N, order, notes} = scene, root = N.findIndex(node => node.result);
const leaves = [...N.keys()].filter(i => !N[i].op).sort((i, j) => N[i].at[0] - N[j].at[0] || N[i].at[1] - N[j].at[1]);
const recorded = N.map(node => Number(node.data));
const trained = leaves.filter(i => N[i].trained), wanted = leaves.filter(i => N[i].grad);
let data, partials, failure, undefinedAt, flows, grads, tangents, movements;
let chosen = trained[0] ?? leaves[0];

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

// The drawing, once: frames, edges, nodes.

const svg = document.querySelector("#graph svg");
const NS = "http://www.w3.org/2000/svg";

function make(parent, tag, attributes = {}, text = null) {
  const element = parent.appendChild(document.createElementNS(NS, tag));
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== null) element.textContent = text;
  return element;
}

const [width, height] = scene.size, tight = scene.frames.length > 0;
svg.classList.toggle("tight", tight);
svg.setAttribute("viewBox", `-6 -6 ${width + 12} ${height + 12}`);
for (const [side, length] of [["width", width + 12], ["height", height + 12]]) {
  svg.setAttribute(side, Math.round(1.1 * length));
  svg.style.setProperty(`max-${side}`, `${Math.round(2 * length)}px`);
}

for (const frame of scene.frames) {
  const [x, y, w, h] = frame.box, group = make(svg, "g", {class: "frame"});
  make(group, "rect", {x, y, width: w, height: h, rx: 10});
  make(group, "text", {x: x + 12, y: y + 16}, frame.text);
}

function arrow([bx, by], [tx, ty]) {
  const [nx, ny] = [0.4 * (ty - by), 0.4 * (bx - tx)];
  return `${tx},${ty} ${bx + nx},${by + ny} ${bx - nx},${by - ny}`;
}

const edges = scene.edges.map(edge => {
  const group = make(svg, "g", {class: "edge"});
  const [start, ...rest] = edge.path, leave = edge.path.find(([x, y]) => x !== start[0] || y !== start[1]);
  make(group, "path", {d: `M${start}C${rest.join(" ")}`});
  make(group, "polygon", {class: "head", points: arrow(edge.path.at(-1), edge.tip)});
  const length = Math.hypot(leave[0] - start[0], leave[1] - start[1]);
  const base = [0, 1].map(i => start[i] + 8 * (leave[i] - start[i]) / length);
  make(group, "polygon", {class: "tail", points: arrow(base, start)});
  return {group, title: make(group, "title"), tail: N[edge.head].parents[edge.place]};
});

const boxes = N.map((node, i) => {
  const group = make(svg, "g"), [x, y] = node.at, [w, h] = node.size;
  if (node.kind === "input" || node.kind === "variable") {
    make(group, "ellipse", {class: "shape", cx: x, cy: y, rx: w / 2, ry: h / 2});
    if (node.result) make(group, "ellipse", {class: "shape", cx: x, cy: y, rx: w / 2 - 4, ry: h / 2 - 4});
  } else {
    const box = by => ({class: "shape", x: x - w / 2 + by, y: y - h / 2 + by, width: w - 2 * by, height: h - 2 * by,
                        rx: node.kind === "parameter" ? 9 : 0});
    make(group, "rect", box(0));
    if (node.result) make(group, "rect", box(4));
  }
  const lines = [["op", node.op], ["name", node.name], ["data", "?"], ["grad", node.grad]].filter(([, text]) => text);
  const texts = Object.fromEntries(lines.map(([line, text], k) =>
    [line, make(group, "text", {class: line, x, y: y + 4 + 12 * (k - (lines.length - 1) / 2)}, text)]));
  if (!node.op) group.addEventListener("click", () => choose(i));
  return {group, texts, title: make(group, "title"), room: w - (node.result ? 12 : 4)};
});

scene.edges.forEach((edge, e) => {  // above the nodes, for a narrow gap
  if (!edge.label) return;
  const [x, y] = edge.label, label = make(svg, "g");
  edges[e].label = label;
  edges[e].text = make(label, "text", {x, y: y + 3.5, lengthAdjust: "spacingAndGlyphs"});
});

const ruler = document.createElement("canvas").getContext("2d");

function widthOf(text, bold) {  // without a new layout of the page
  ruler.font = `${bold ? "bold " : ""}11px Helvetica, Arial, sans-serif`;
  return ruler.measureText(text).width;
}

function write(box, line, text) {
  const element = box.texts[line];
  if (!element || element.textContent === text) return;
  element.textContent = text;
  element.removeAttribute("textLength");
  if (text.length > 9 && widthOf(text, line === "data") > box.room) {
    element.setAttribute("textLength", box.room);
    element.setAttribute("lengthAdjust", "spacingAndGlyphs");
  }
}

// The steps: of a node each, or of a layer each. A step is shown from nothing, so that any step can follow any other.

let steps, current = 0, timer = null, byLayer = false, inForwardMode = false;
const single = order.map(i => ({nodes: [i], layer: 0, forward: "", backward: ""}));

function plan() {
  const groups = byLayer ? scene.groups : single;
  const row = (kind, some) => some.map((group, k) => ({...group, kind, phase: `${kind} ${k + 1} of ${groups.length}` +
                                                       (group.layer ? `, layer ${group.layer}` : "")}));
  steps = [{kind: "start", phase: "start", nodes: []}];
  const stop = failure ? groups.findIndex(group => group.nodes.includes(failure.node)) : groups.length;
  steps.push(...row("forward", groups).slice(0, stop));
  if (failure) steps.push({kind: "stop", phase: "stopped", nodes: [failure.node], text: failure.text});
  else if (undefinedAt)
    steps.push({kind: "stop", phase: "no derivative", nodes: [undefinedAt.node],
                text: `There is no ${inForwardMode ? "forward mode" : "backward pass"}: ${undefinedAt.text}`});
  else if (inForwardMode) steps.push({kind: "seed", phase: "forward mode, start", nodes: [chosen]}, ...row("forward mode", groups));
  else steps.push({kind: "seed", phase: "backward, start", nodes: [root]}, ...row("backward", groups.toReversed()));
  find("slider").max = steps.length - 1;
}

const named = i => N[i].name ? `${N[i].name} = ${number(i)}` : N[i].op ? `‘${N[i].op}’ = ${number(i)}` : number(i);
const number = i => short(data[i]) + (N[i].stale ? " †" : "");
const list = (items, most = 5) => items.slice(0, most).join(", ") + (items.length > most ? ", …" : "");
const vector = some => `(${list(some.map(short), 8)})`;

function slope(i, place) {  // "∂tanh/∂x = 4 σ(2 x) σ(−2 x)"
  const node = N[i], words = scene.operations[node.operation];
  return words ? `∂/∂${words.operands[place]} of ${node.op} = ${words.formulas[place]}` : `∂/∂ of ${node.op}, as recorded`;
}

const slopeName = i => N[i].grad === "δ" ? "δ" : "gradient";
const rule = (i, place, partial) => N[i].op === "dot" ? "" : `${slope(i, place)} = ${short(partial)}; `;

function story(now) {  // the sentence, and its lines
  const [i] = now.nodes;
  if (now.kind === "start") return ["The leaves have their numbers. Nothing is computed yet.", notes];
  if (now.kind === "stop") return [now.text, []];
  if (now.kind === "seed" && inForwardMode)
    return [`The tangent of ${named(i)} is 1, that of every other leaf 0. It flows forward: each operation passes on Σ local derivative × tangent.`, []];
  if (now.kind === "seed")
    return [`The gradient of the result with respect to itself is 1: ${named(i)}, gradient = 1.`, []];
  if (byLayer) return (([formula, ...lines]) => [formula, lines])(layerLines(now));
  if (now.kind === "forward") {
    const said = N[i].operation < 0 ? ", as recorded" : "";
    const lines = N[i].op === "dot" || !partials[i].length ? [] :
      N[i].parents.map((_, place) => `${slope(i, place)} = ${short(partials[i][place])}`);
    return [`‘${N[i].op}’ of ${list(N[i].parents.map(named))} gives ${named(i)}${said}.`, lines.slice(0, 4)];
  }
  if (now.kind === "backward") {
    const lines = flows[i].map(({place, parent, partial, term, before, after}) =>
      `to ${named(parent)}: ${rule(i, place, partial)}${resultOf("×", partial, grads[i], term)}` +
      (before === 0 ? "" : `, so its ${slopeName(parent)} becomes ${resultOf("+", before, term, after)}`));
    return [lines.length ? `${named(i)} hands its ${slopeName(i)} = ${short(grads[i])} to its operands, times the local derivative:`
                         : `${named(i)} has only constants below it.`, lines];
  }
  const lines = movements[i].map(({place, parent, partial, term}) =>
    `from ${named(parent)}: ${rule(i, place, partial)}${resultOf("×", partial, tangents[parent], term)}`);
  return [lines.length ? `The tangent of ${named(i)} is ${short(tangents[i])}: the sum of what its operands pass on.`
                       : `Nothing below ${named(i)} moves: its tangent is 0.`, lines];
}

function layerLines(now) {
  const q = `⁽${[...String(now.layer)].map(d => "⁰¹²³⁴⁵⁶⁷⁸⁹"[d]).join("")}⁾`;
  const z = now.nodes.filter(i => N[i].op === "dot"), y = now.nodes.filter(i => N[i].op !== "dot");
  if (!now.layer) {
    const ends = now.nodes.slice(-3).map(named);
    if (now.kind === "forward") return [`Between layers: ${now.nodes.map(i => `‘${N[i].op}’`).join(", ")}, up to ${list(ends)}.`];
    if (now.kind === "forward mode") return now.nodes.map(i => `tangent of ${named(i)}: ${short(tangents[i] ?? 0)}`).slice(0, 5);
    const below = [...new Set(now.nodes.flatMap(i => flows[i].map(flow => flow.parent)))].filter(p => !now.nodes.includes(p));
    return [`Through ${now.nodes.toReversed().map(i => `‘${N[i].op}’`).join(", ")}:`,
            ...below.map(p => `∂${N[root].name || "result"}/∂${N[p].name || `‘${N[p].op}’`} = ${short(grads[p])}`).slice(0, 5)];
  }
  if (now.kind === "forward")
    return [now.forward, `z${q} = ${vector(z.map(i => data[i]))}`, ...(y.length ? [`y${q} = ${vector(y.map(i => data[i]))}`] : [])];
  if (now.kind === "forward mode")
    return ["Each z: Σ a · tangent of y + tangents of a and b; each y: slope × tangent of z.",
            `tangents of z${q}: ${vector(z.map(i => tangents[i] ?? 0))}`,
            ...(y.length ? [`tangents of y${q}: ${vector(y.map(i => tangents[i] ?? 0))}`] : [])];
  return [now.backward, `δ${q} = ${vector(z.map(i => grads[i]))}`];
}

// What has been multiplied so far.

const swept = {backward: false, leaves: new Set()};

function count(done) {
  const all = some => order.reduce((total, i) => total + some[i].length, 0);
  const now = some => order.reduce((total, i) => total + (done.has(i) ? some[i].length : 0), 0);
  const complete = done.size === order.length;
  if (complete && !inForwardMode) swept.backward = true;
  if (complete && inForwardMode && N[chosen].grad) swept.leaves.add(chosen);
  const before = [...swept.leaves].filter(i => i !== chosen || !inForwardMode || complete);
  const others = before.reduce((total, i) => total + multiplications(i), 0);
  const running = inForwardMode && done.size && !complete;
  const one = inForwardMode ? 0 : now(flows);
  const sweeps = (n, product) => `${n} sweep${n === 1 ? "" : "s"}, ${product} multiplications`;
  const derivatives = n => `${n} of ${wanted.length} derivative${wanted.length === 1 ? "" : "s"}`;
  const backwards = swept.backward ? `${sweeps(1, all(flows))}, ${derivatives(wanted.length)}`
                                   : one ? `${sweeps(1, one)} so far` : "not yet";
  const n = before.length + (running ? 1 : 0);
  const forwards = n ? `${sweeps(n, others + (running ? now(movements) : 0))}, ${derivatives(before.length)}` : "not yet";
  find("counter").textContent = `Backward mode: ${backwards}. Forward mode: ${forwards}.`;
}

const _moves = new Map();
function multiplications(leaf) {  // of its forward sweep
  if (!_moves.has(leaf)) {
    const moving = new Set([leaf]);
    let total = 0;
    for (const i of order) {
      const some = N[i].parents.filter(p => moving.has(p)).length;
      total += some;
      if (some) moving.add(i);
    }
    _moves.set(leaf, total);
  }
  return _moves.get(leaf);
}

function show(step) {
  const moved = current;
  current = Math.max(0, Math.min(steps.length - 1, step));
  const known = new Set(leaves), done = new Set(), now = steps[current];
  let sweeping = false;
  for (const {kind, nodes} of steps.slice(0, current + 1)) {
    if (kind === "forward") nodes.forEach(i => known.add(i));
    if (kind === "seed") sweeping = true;
    if (kind === "backward" || kind === "forward mode") nodes.forEach(i => done.add(i));
  }
  const sums = N.map(() => undefined);
  if (sweeping && !inForwardMode) {
    sums[root] = 1;
    for (const i of order.toReversed())
      if (done.has(i)) for (const {parent, term} of flows[i]) sums[parent] = (sums[parent] ?? 0) + term;
  }
  const way = {forward: "forward", backward: "backward", "forward mode": "moving", stop: "backward",
               seed: inForwardMode ? "moving" : "backward"}[now.kind];
  const lit = new Set(now.nodes), backwards = now.kind === "backward", moving = now.kind === "forward mode";
  const reached = new Set(backwards ? now.nodes.flatMap(i => flows[i].map(flow => flow.parent)) : []);
  boxes.forEach((box, i) => {
    const node = N[i], there = known.has(i);
    const tangent = sweeping && inForwardMode && (done.has(i) || !node.op) ? tangents[i] ?? 0 : undefined;
    write(box, "data", there ? number(i) : "?");
    write(box, "grad", tangent !== undefined ? `→ ${short(tangent)}` : sums[i] !== undefined ? `${node.grad === "δ" ? "δ" : "∂"} ${short(sums[i])}` : "");
    box.texts.grad?.setAttribute("class", tangent === undefined ? "grad" : "tangent");
    box.title.textContent = [
      node.label || node.name || node.op, there ? `data = ${exact(data[i])}` : "not computed yet",
      ...(sums[i] !== undefined ? [`grad = ${exact(sums[i])}`] : []),
      ...(tangent !== undefined ? [`tangent = ${exact(tangent)}`] : []),
      ...(node.fixed ? ["cannot be changed here"] : []),
    ].join("\n");
    box.group.setAttribute("class", ["node", node.kind, node.result && "result", !node.op && "leaf", !there && "waiting",
      i === chosen && "chosen", lit.has(i) ? way : reached.has(i) && "reached"].filter(Boolean).join(" "));
  });
  edges.forEach(({group, label, text, title, tail}, e) => {
    const {head, place} = scene.edges[e], there = known.has(head) && partials[head].length;
    const flow = lit.has(head) && (backwards ? flows : moving ? movements : null)?.[head].find(f => f.place === place);
    const on = lit.has(head) && (now.kind === "forward" || flow);
    group.setAttribute("class", "edge" + (on ? ` ${way}` : ""));
    title.textContent = there ? `${slope(head, place)} = ${exact(partials[head][place])}` : "";
    if (!label) return;
    label.setAttribute("class", "edge" + (on ? ` ${way}` : ""));
    const arrow = tight ? "" : backwards ? (scene.across ? "← " : "↑ ") : scene.across ? "→ " : "↓ ";
    text.textContent = flow ? arrow + short(flow.term) : there ? short(partials[head][place]) : "";
    text.toggleAttribute("textLength", false);
    if (tight && text.textContent.length > 7) text.setAttribute("textLength", 42);
  });
  find("phase").textContent = now.phase;
  const [sentence, lines] = story(now);
  find("story").firstElementChild.textContent = sentence;
  find("story").firstElementChild.className = byLayer && now.layer ? "lecture" : "";
  find("story").lastElementChild.className = lines.length > 6 ? "many" : "";
  find("story").lastElementChild.replaceChildren(...lines.map(line =>
    Object.assign(document.createElement("li"), {textContent: line, className: now.kind === "start" ? "note" : ""})));
  count(done);
  find("slider").value = current;
  for (const id of ["first", "back"]) find(id).disabled = current === 0;
  for (const id of ["on", "last"]) find(id).disabled = current === steps.length - 1;
  if (now.nodes.length && moved !== current) follow(boxes[now.nodes[0]].group);
  if (moved !== current)
    try { history.replaceState(null, "", "#" + current); } catch { /* a page inside a notebook has no address */ }
}

function follow(element) {
  const frame = find("graph"), a = element.getBoundingClientRect(), b = frame.getBoundingClientRect();
  if (a.left < b.left || a.right > b.right) frame.scrollLeft += (a.left + a.right - b.left - b.right) / 2;
  if (a.top < b.top || a.bottom > b.bottom) frame.scrollTop += (a.top + a.bottom - b.top - b.bottom) / 2;
}

function play(playing) {
  clearInterval(timer);
  timer = playing ? setInterval(() => current < steps.length - 1 ? show(current + 1) : play(false), 1200) : null;
  find("play").textContent = playing ? "Pause" : "Play";
  if (playing) show(current === steps.length - 1 ? 0 : current + 1);
}

function fit(fitting) {
  find("graph").classList.toggle("fit", fitting);
  find("fit").setAttribute("aria-pressed", fitting);
}

// Leaves.

leaves.forEach(i => {
  const option = document.createElement("option");
  option.value = i;
  option.textContent = (N[i].name || `${N[i].kind} ${i}`) + (N[i].fixed ? " (fixed)" : "");
  find("leaf").append(option);
});

function choose(leaf) {
  chosen = leaf;
  find("leaf").value = leaf;
  const x = data[leaf], half = Math.max(1, 2 * Math.abs(x));
  find("value").min = x - half;
  find("value").max = x + half;
  for (const id of ["number", "value"]) find(id).disabled = Boolean(N[leaf].fixed);
  forwardMode();
  renew();
}

function renew(step = current) {  // once a number is another
  const x = data[chosen], value = find("value");
  if (document.activeElement !== find("number")) find("number").value = plain(x) == x ? plain(x) : String(x);
  if (x < value.min || x > value.max) [value.min, value.max] = [x - 2 * Math.abs(x), x + 2 * Math.abs(x)];
  value.value = x;
  plan();
  show(step);
}

function set(leaf, x) {
  find("number").setAttribute("aria-invalid", !Number.isFinite(x));
  if (!Number.isFinite(x) || N[leaf].fixed) return;
  data[leaf] = x;
  say("");
  compute();
  draw();
  renew(current === 0 ? Infinity : current);  // at the start there is nothing to follow
}

function nudge(up, small) {
  find("number").blur();
  set(chosen, Number((data[chosen] + (up ? 1 : -1) * (small ? 0.01 : 0.1)).toPrecision(12)));
}

// Gradient descent.

let costs, rises, runner = null;
const say = text => { find("message").textContent = text; };

function update() {
  const dt = Number(find("delta").value), before = data[root], name = N[root].name || "The result";
  find("delta").setAttribute("aria-invalid", !(dt > 0));
  const why = !(dt > 0) ? "Give a Δt above 0." : failure || undefinedAt ? (failure ?? undefinedAt).text
    : trained.length === 0 ? "There is no parameter to update."
    : trained.some(i => N[i].fixed) ? "Parameters under an operation without a formula cannot be updated." : "";
  if (why) return stop(why);
  for (const i of trained) data[i] -= dt * grads[i];
  compute();
  costs.push(failure ? NaN : data[root]);
  rises = data[root] > before ? rises + 1 : 0;
  const k = costs.length - 1;
  if (failure || !Number.isFinite(data[root]))
    stop(`Diverged in update ${k}: ${failure ? failure.text : `${name} is ${short(data[root])}.`} Δt = ${short(dt)} is too large: Reset, and take a smaller one.`);
  else if (rises >= 10 || (rises && Math.abs(data[root]) > 1e6 * (1 + Math.abs(costs[0]))))
    stop(`It diverges: ${name} rose to ${short(data[root])} in ${rises} update${rises > 1 ? "s" : ""} running. Δt = ${short(dt)} is too large.`);
  else say(rises ? `${name} rose from ${short(before)} to ${short(data[root])}: Δt = ${short(dt)} is too large here.` : "");
  draw();
  renew(Infinity);
}

function stop(why = "") {
  clearInterval(runner);
  runner = null;
  find("run").textContent = "Run";
  if (why) say(why);
}

function run() {
  if (runner !== null) return stop();
  find("run").textContent = "Stop";
  runner = setInterval(update, 60);
  update();
}

function draw() {  // the curve of the result over the updates
  const curve = find("curve"), drawn = costs.filter(Number.isFinite), k = costs.length - 1;
  curve.replaceChildren();
  make(curve, "path", {d: "M6,20V92H164"});
  const high = Math.max(...drawn), low = Math.min(0, ...drawn), scale = high > low ? 68 / (high - low) : 0;
  const points = costs.map((c, j) => [6 + 156 * j / Math.max(k, 1), c]).filter(([, c]) => Number.isFinite(c))
                      .map(([x, c]) => `${x.toFixed(1)},${(90 - scale * (c - low)).toFixed(1)}`);
  make(curve, "polyline", {points: points.join(" ")});
  make(curve, "text", {x: 6, y: 12}, `${N[root].name || "result"} = ${failure ? "?" : short(data[root])}`);
  make(curve, "text", {x: 6, y: 106}, `${k} update${k === 1 ? "" : "s"}; top ${short(high)}`);
}

function reset() {
  stop();
  say("");
  data = [...recorded];
  compute();
  costs = failure ? [] : [data[root]];
  rises = 0;
  swept.backward = false;
  swept.leaves.clear();
  draw();
  choose(chosen);
}

// Controls.

function toggle(id, on) {
  find(id).setAttribute("aria-pressed", on);
  return on;
}

function change(make) {  // how it is played: the same part of the walk stays on the screen
  const part = steps[current].kind, end = current === steps.length - 1;
  make();
  plan();
  const first = steps.findIndex(({kind}) => kind === part);
  show(end ? Infinity : first < 0 ? steps.findIndex(({kind}) => kind === "seed") : first);
}

const other = by => leaves[(leaves.indexOf(chosen) + by + leaves.length) % leaves.length];
const actions = {
  first: () => show(0), back: () => show(current - 1), on: () => show(current + 1), last: () => show(Infinity),
  play: () => play(timer === null), fit: () => fit(!find("graph").classList.contains("fit")),
  layers: () => change(() => { byLayer = toggle("layers", !byLayer); }),
  mode: () => change(() => { inForwardMode = toggle("mode", !inForwardMode); }),
  reset, update: () => { stop(); update(); }, run,
};
const keys = {Home: "first", ArrowLeft: "back", ArrowRight: "on", End: "last", " ": "play", f: "fit", l: "layers",
              m: "mode", 0: "reset", u: "update", r: "run"};
for (const [id, action] of Object.entries(actions)) find(id).addEventListener("click", () => {
  if (!["play", "fit", "run"].includes(id)) play(false);
  action();
});
addEventListener("keydown", event => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const {key, target} = event, typing = target.matches("input[type=text]"), up = key === "ArrowUp";
  if (typing && (key === "Enter" || key === "Escape")) return target.blur();
  if (target.matches("select") && key !== "n" && key !== "p") return;
  if (target.id === "value" && key.startsWith("Arrow")) return;
  if (target.matches("button") && key === " ") return;
  if (up || key === "ArrowDown") {
    if (target.id === "delta") return;
    nudge(up, event.shiftKey);
  } else if (typing) return;
  else if (key === "n" || key === "p") choose(other(key === "n" ? 1 : -1));
  else if (key === "t") find("delta").select();
  else if (keys[key]) find(keys[key]).click();
  else return;
  event.preventDefault();
});
find("slider").addEventListener("input", () => { play(false); show(Number(find("slider").value)); });
find("leaf").addEventListener("change", () => choose(Number(find("leaf").value)));
find("value").addEventListener("input", () => set(chosen, Number(find("value").value)));
find("number").addEventListener("input", () => set(chosen, find("number").value.trim() ? Number(find("number").value.replace("−", "-")) : NaN));
find("number").addEventListener("blur", () => { find("number").setAttribute("aria-invalid", false); renew(); });
addEventListener("hashchange", () => show(Number(location.hash.slice(1)) || 0));

find("layers").hidden = !tight;
document.querySelector("h1").textContent = document.title = scene.title;
data = [...recorded];
reset();
fit(Math.min(find("graph").clientWidth / width, find("graph").clientHeight / height) > 0.7);  // else it cannot be read
current = -1;
show(Number(location.hash.slice(1)) || 0);
