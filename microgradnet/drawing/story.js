// Knows how to say it: numbers as text, what happens in each step, and how gradient descent goes. It changes nothing.

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

const named = i => N[i].name ? `${N[i].name} = ${number(i)}` : N[i].op ? `‘${N[i].op}’ = ${number(i)}` : number(i);
const number = i => short(data[i]) + (N[i].stale ? " †" : "");
const list = (items, most = 5) => items.slice(0, most).join(", ") + (items.length > most ? ", …" : "");
const counted = items => {  // "2 × ‘+’, ‘exp’": each once, with how often
  const often = new Map();
  for (const item of items) often.set(item, (often.get(item) ?? 0) + 1);
  return list([...often].map(([item, n]) => n > 1 ? `${n} × ${item}` : item), 8);
};
const vector = some => `(${list(some.map(short), 8)})`;

function slope(i, place, form = short) {  // "∂tanh(u)/∂u = 4 σ(2 u) σ(−2 u) = 0.07065"
  const words = scene.operations[N[i].operation], partial = partials[i][place];
  if (!words) return `∂${N[i].op} as recorded = ${form(partial)}`;
  const formula = words.formulas[place];
  return [words.derivatives[place], ...(formula === short(partial) ? [] : [formula]), form(partial)].join(" = ");
}

const slopeName = i => N[i].grad === "δ" ? "δ" : "gradient";
const rule = (i, place) => N[i].op === "dot" ? "" : `${slope(i, place)}; `;

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
      N[i].parents.map((_, place) => slope(i, place));
    return [`‘${N[i].op}’ of ${list(N[i].parents.map(named))} gives ${named(i)}${said}.`, lines.slice(0, 4)];
  }
  if (now.kind === "backward") {
    const lines = flows[i].map(({place, parent, partial, term, before, after}) =>
      `to ${named(parent)}: ${rule(i, place)}${resultOf("×", partial, grads[i], term)}` +
      (before === 0 ? "" : `, so its ${slopeName(parent)} becomes ${resultOf("+", before, term, after)}`));
    return [lines.length ? `${named(i)} hands its ${slopeName(i)} = ${short(grads[i])} to its operands, times the local derivative:`
                         : `${named(i)} has only constants below it.`, lines];
  }
  const lines = movements[i].map(({place, parent, partial, term}) =>
    `from ${named(parent)}: ${rule(i, place)}${resultOf("×", partial, tangents[parent], term)}`);
  return [lines.length ? `The tangent of ${named(i)} is ${short(tangents[i])}: the sum of what its operands pass on.`
                       : `Nothing below ${named(i)} moves: its tangent is 0.`, lines];
}

const callOf = new Map(scene.groups.flatMap(group => group.calls ?? []).flatMap(({name, z, y}) => [...z, ...y].map(i => [i, name])));

function layerLines(now) {
  if (!now.layer) {
    const ends = now.nodes.slice(-3).map(named);
    if (now.kind === "forward") return [`Between layers: ${counted(now.nodes.map(i => `‘${N[i].op}’`))}, up to ${list(ends)}.`];
    if (now.kind === "forward mode") return now.nodes.map(i => `tangent of ${named(i)}: ${short(tangents[i] ?? 0)}`).slice(0, 5);
    const below = [...new Set(now.nodes.flatMap(i => flows[i].map(flow => flow.parent)))].filter(p => !now.nodes.includes(p));
    return [`Through ${counted(now.nodes.toReversed().map(i => `‘${N[i].op}’`))}:`,
            ...below.map(p => `${callOf.get(p) ? `${callOf.get(p)}: ` : ""}∂${scene.cost}/∂${N[p].name || (N[p].op ? `‘${N[p].op}’` : number(p))} = ${short(grads[p])}`).slice(0, 5)];
  }
  const {z, y} = now.names, given = {sigmoid: i => sigmoid(data[i])}[now.outputs];
  const row = (name, nodes, number) => nodes.length ? [`${name} = ${vector(nodes.map(number))}`] : [];
  const lines = told => {  // a call's in one line, where there are several
    const all = now.calls.map(call => call.name ? [`${call.name}: ${told(call).join(",  ")}`] : told(call)), rest = all.length - 4;
    return [...all.slice(0, 4).flat(), ...(rest > 0 ? [`… and so for ${rest} more`] : [])];
  };
  if (now.kind === "forward")
    return [now.forward, ...lines(call => [...row(z, call.z, i => data[i]), ...row(y, call.y, i => data[i]),
                                           ...(given ? row(y, call.z, given) : [])])];
  if (now.kind === "forward mode")
    return ["Each z: Σ (a · tangent of input + input · tangent of a) + tangent of b; each y: slope × tangent of z.",
            ...lines(call => [...row(`tangents of ${z}`, call.z, i => tangents[i] ?? 0),
                              ...row(`tangents of ${y}`, call.y, i => tangents[i] ?? 0)])];
  return [now.backward, ...lines(call => [...(given ? row(y, call.z, given) : []), ...row(now.names.delta, call.z, i => grads[i])])];
}

function countedSweeps({backward, forward}) {
  const all = wanted.length, ofAll = n => `${n} of ${all} derivative${all === 1 ? "" : "s"}`;
  const said = ({complete, sweeps, products, derivatives}) => !(sweeps && (complete || products)) ? "not yet" :
    `${sweeps} sweep${sweeps === 1 ? "" : "s"}, ${products} multiplications` + (complete ? `, ${ofAll(derivatives)}` : " so far");
  return `Backward mode: ${said(backward)}. Forward mode: ${said(forward)}.`;
}

// Gradient descent.

const refusal = () => trained.size === 0 ? "All leaves are held: there is nothing to update."
  : [...trained].some(i => N[i].fixed) ? "Parameters under an operation without a formula cannot be updated." : "";

function verdict(dt) {  // on the last update, and whether to stop
  const {start, before, lowest, rises, rose, idle, moved, flat, expected} = descent, now = data[root], k = costs.length - 1;
  const name = N[root].name || "The result", tooLarge = `Δt = ${short(dt)} is too large`;
  if (!failure && !rose && now < -1000 * (1 + Math.abs(start)))
    return [`${name} falls without bound, to ${short(now)} in ${k} updates: it has no minimum to go to, so it is no cost.`, true];
  if (failure || !Number.isFinite(now))
    return [`Diverged in update ${k}: ${failure ? failure.text : `${name} is ${short(now)}.`} ${tooLarge}: Reset, and take a smaller one.`, true];
  if (rises >= 10 || (rises && Math.abs(now) > 1e6 * (1 + Math.abs(costs[0]))))
    return [`It diverges: ${name} rose to ${short(now)} in ${rises} update${rises > 1 ? "s" : ""} running. ${tooLarge}.`, true];
  if (!moved)
    return [`No progress: the gradients are ${flat ? "0" : "too small to change a parameter"}. This is a minimum, or a place as flat as one.`, true];
  if (idle >= 50)
    return [`${name} has not fallen below ${short(lowest)} in ${idle} updates: no progress. ` +
            (expected > 1e-9 * Math.abs(now) ? `The gradient is not 0: ${tooLarge} here.` : "What is left to gain is below the digits shown."), true];
  return [rises ? `${name} rose from ${short(before)} to ${short(now)}: ${tooLarge} here.` : "", false];
}
