/** Counts of a walk through the runs of small numbers that parquet stores levels and indices of dictionaries as. */
export interface Runs {
  /** The byte after them. */
  readonly end: number
  /** How many of the numbers are `value`. */
  readonly equal: number
}

/**
 * Walks through runs, each one number many times or numbers packed into bits, until there are `count` numbers, and refuses what hyparquet
 * would follow without end: runs that are longer than the page, of no length, or wider than a number.
 *
 * @param largest no number may be larger
 * @param value counted in `equal`
 * @throws Error for damaged runs
 */
export function walkRuns(
  bytes: Uint8Array,
  start: number,
  { width, count, largest = Infinity, value = -1 }: { width: number; count: number; largest?: number; value?: number },
): Runs {
  if (width > 32) throw new Error(`numbers of ${width} bits`)
  let at = start
  let seen = 0
  let equal = 0
  const take = (number: number, times: number): void => {
    if (number > largest) throw new Error(`a level of ${number} above ${largest}`)
    if (number === value) equal += times
    seen += times
  }
  while (seen < count) {
    const head = readVarint(bytes, at)
    at = head.end
    const isPacked = head.value % 2 === 1
    const length = Math.floor(head.value / 2) * (isPacked ? 8 : 1)
    // Packed numbers come in groups of eight, the last of which may have some to spare.
    if (length === 0 || length - (isPacked ? 7 : 0) > count - seen) throw new Error(`a run of ${length} numbers`)
    const size = isPacked ? (length * width) / 8 : Math.ceil(width / 8)
    // Some writers leave out the end of the last group.
    const needed = isPacked ? Math.ceil((Math.min(length, count - seen) * width) / 8) : size
    if (at + needed > bytes.length) throw new Error('runs that do not end')
    const isAny = largest === Infinity && value < 0
    const taken = Math.min(length, count - seen)
    if (isAny) seen += taken
    else if (!isPacked) take(littleEndian(bytes, at, size), length)
    else for (let i = 0; i < taken; i++) take(unpackAt(bytes, at * 8 + i * width, width), 1)
    at += size
  }
  return { end: at, equal }
}

/** Numbers in a block of differences; writers use 128 to 1024. */
const MAX_BLOCK = 2 ** 16

/** @throws Error for a number of more than ten bytes, or one that is cut off */
export function readVarint(bytes: Uint8Array, start: number): { readonly value: number; readonly end: number } {
  let value = 0
  for (let i = 0; i < 10; i++) {
    const byte = bytes[start + i]
    if (byte === undefined) throw new Error('a number that is cut off')
    value += (byte & 0x7f) * 2 ** (7 * i)
    if (byte < 0x80) return { value, end: start + i + 1 }
  }
  throw new Error('a number that does not end')
}

function unpackAt(bytes: Uint8Array, firstBit: number, width: number): number {
  if (width === 1) return (bytes[firstBit >>> 3]! >>> (firstBit & 7)) & 1
  let value = 0
  for (let bit = 0; bit < width;) {
    const at = firstBit + bit
    const taken = Math.min(8 - (at % 8), width - bit)
    value += (((bytes[at >>> 3] ?? 0) >>> (at % 8)) & ((1 << taken) - 1)) * 2 ** bit
    bit += taken
  }
  return value
}

function littleEndian(bytes: Uint8Array, start: number, size: number): number {
  let value = 0
  for (let i = 0; i < size; i++) value += bytes[start + i]! * 2 ** (8 * i)
  return value
}

/**
 * Walks through the blocks of `DELTA_BINARY_PACKED`, of `count` numbers as differences, as far as their sizes go.
 * @throws Error for damaged blocks
 */
export function walkDeltas(bytes: Uint8Array, start: number, count: number): void {
  let at = start
  const next = (): number => {
    const { value, end } = readVarint(bytes, at)
    at = end
    return value
  }
  const [blockSize, parts, total] = [next(), next(), next()]
  next()
  const size = blockSize / parts
  const isSound = blockSize > 0 && blockSize <= MAX_BLOCK && blockSize % 128 === 0 && size % 32 === 0
  if (!isSound || total !== count) throw new Error(`${total} differences in blocks of ${blockSize} in ${parts} parts`)
  let seen = 1
  while (seen < count) {
    next()
    const widths = bytes.subarray(at, at + parts)
    at += parts
    for (let i = 0; i < parts && seen < count; i++) {
      const width = widths[i] ?? Infinity
      const needed = Math.ceil((Math.min(size, count - seen) * width) / 8)
      if (width > 64 || at + needed > bytes.length) throw new Error('differences that do not end')
      at += (size * width) / 8
      seen += size
    }
  }
}
