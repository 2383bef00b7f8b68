const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** `text` as it must stand in HTML, in an element or in a quoted attribute. */
export function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => ESCAPES[character]!)
}

/** A section with a heading that the contents of the page link to, and the sentence that says how to read it. */
export function section(id: string, title: string, lead: string, body: string): string {
  return `<section id="${id}"><h2>${escapeHtml(title)}</h2>\n<p class="lead">${lead}</p>\n${body}\n</section>`
}

/** What may be wider than a phone: it scrolls by itself and never the page. */
export function wide(body: string): string {
  return `<div class="wide" tabindex="0">${body}</div>`
}

/** A number in three significant digits or so, for people; a dash where there is none. */
export function number(value: number | null): string {
  if (value === null || !Number.isFinite(value)) return '–'
  const size = Math.abs(value)
  const text = value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2)
  // A minus before zero is noise; the typographic one is as wide as a digit.
  return text.replace(/^-(?=0(\.0*)?$)/, '').replace('-', '−')
}

/** An interval, e.g. `[0.81, 0.90]`; empty where there is none. */
export function rangeText({ low, high }: { readonly low: number | null; readonly high: number | null }): string {
  return low === null || high === null ? '' : `[${number(low)}, ${number(high)}]`
}
