/** `seconds` for people: `42 s`, `4 min 05 s`, `3 h 07 min`. */
export function formatDuration(seconds: number): string {
  const whole = Math.round(seconds)
  if (whole < 60) return `${whole} s`
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${pad(whole % 60)} s`
  const minutes = Math.round(seconds / 60)
  return `${Math.floor(minutes / 60)} h ${pad(minutes % 60)} min`
}

function pad(value: number): string {
  return String(value).padStart(2, '0')
}

/** `value` with about four significant digits: `12345`, `103.2`, `0.0153`, `1.2e-7`. */
export function formatNumber(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e9) return String(value)
  const size = Math.abs(value)
  if (size >= 1e9 || (size < 1e-4 && size > 0)) return value.toExponential(1)
  return size >= 1000 ? value.toFixed(0) : String(Number(value.toPrecision(4)))
}
