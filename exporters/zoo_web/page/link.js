/* The settings in the address of the page. */

import { parseSeed } from "./latents.js";

/** The fragment (after the #) for these settings; a class is written by its name. */
export function linkOf({ seed, temperature, label, a, b, t }, names) {
  const values = { seed, temperature: temperature.toFixed(2), a, b, t: t.toFixed(3) };
  if (label !== null) values.label = names[label];
  return new URLSearchParams(values).toString();
}

/** The settings in a fragment; unknown and invalid values are left out. */
export function settingsOf(fragment, names) {
  const parameters = new URLSearchParams(fragment);
  const number = (key, from, to, integer) => {
    const value = parameters.get(key) ? Number(parameters.get(key)) : NaN;
    return value >= from && value <= to && (!integer || Number.isInteger(value)) ? value : undefined;
  };
  const seed = parameters.get("seed");
  const label = names.indexOf(parameters.get("label"));
  const values = {
    seed: parseSeed(seed ?? "") ? seed : undefined,
    temperature: number("temperature", 0, 1.5),
    label: label >= 0 ? label : fragment ? null : undefined,
    a: number("a", 0, 1e6, true),
    b: number("b", 0, 1e6, true),
    t: number("t", 0, 1),
  };
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}
