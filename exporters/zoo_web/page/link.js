/* The address of the page carries its settings. */

import { parseSeed } from "./latents.js";

/** What stands behind the # for these settings. */
export function linkOf({ seed, temperature, label, a, b, t }) {
  const values = { seed, temperature: temperature.toFixed(2), a, b, t: t.toFixed(3) };
  if (label !== null) values.label = label;
  return new URLSearchParams(values).toString();
}

/** The settings that a text behind the # names; what is none, or out of its bounds, is left out. */
export function settingsOf(text, classes) {
  const given = new URLSearchParams(text);
  const number = (key, from, to, whole) => {
    const value = given.get(key) ? Number(given.get(key)) : NaN;
    return value >= from && value <= to && (!whole || Number.isInteger(value)) ? value : undefined;
  };
  const seed = given.get("seed");
  const values = {
    seed: parseSeed(seed ?? "") ? seed : undefined,
    temperature: number("temperature", 0, 1.5),
    label: number("label", 0, classes - 1, true) ?? (text ? null : undefined),
    a: number("a", 0, 1e6, true),
    b: number("b", 0, 1e6, true),
    t: number("t", 0, 1),
  };
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}
