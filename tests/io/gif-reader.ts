/** A frame of a decoded GIF, composed over the frames before it. */
export interface DecodedFrame {
  readonly rgb: Uint8Array
  /** Hundredths of a second. */
  readonly delay: number
}

/** Decodes what {@link encodeGif} can produce: a global palette, full-size frames, transparency, disposal "keep". */
export function decodeGif(bytes: Uint8Array): {
  width: number
  height: number
  loops: boolean
  frames: DecodedFrame[]
} {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (Buffer.from(bytes.subarray(0, 6)).toString('latin1') !== 'GIF89a') throw new Error('not a GIF')
  const width = view.getUint16(6, true)
  const height = view.getUint16(8, true)
  const paletteSize = 2 << (bytes[10]! & 7)
  const palette = bytes.subarray(13, 13 + paletteSize * 3)
  let at = 13 + paletteSize * 3
  let loops = false
  let delay = 0
  let transparent = -1
  const canvas = new Uint8Array(width * height * 3)
  const frames: DecodedFrame[] = []
  for (;;) {
    const block = bytes[at++]
    if (block === 0x3b) return { width, height, loops, frames }
    if (block === 0x21) {
      const label = bytes[at++]
      if (label === 0xff) loops = true
      if (label === 0xf9) {
        const flags = bytes[at + 1]!
        if (((flags >> 2) & 7) !== 1) throw new Error('disposal is not "keep"')
        delay = view.getUint16(at + 2, true)
        transparent = flags & 1 ? bytes[at + 4]! : -1
      }
      at = subBlocks(bytes, at).end
    } else if (block === 0x2c) {
      const codeSize = bytes[at + 9]!
      const { data, end } = subBlocks(bytes, at + 10)
      at = end
      for (const [i, color] of lzw(data, codeSize).entries()) {
        if (color !== transparent) canvas.set(palette.subarray(color * 3, color * 3 + 3), i * 3)
      }
      frames.push({ rgb: canvas.slice(), delay })
    } else throw new Error(`unknown block ${block}`)
  }
}

function subBlocks(bytes: Uint8Array, start: number): { data: Uint8Array; end: number } {
  const parts: Uint8Array[] = []
  let at = start
  for (; bytes[at] !== 0; at += bytes[at]! + 1) parts.push(bytes.subarray(at + 1, at + 1 + bytes[at]!))
  return { data: Buffer.concat(parts), end: at + 1 }
}

function lzw(data: Uint8Array, codeSize: number): number[] {
  const clear = 1 << codeSize
  const roots = Array.from({ length: clear + 2 }, (_, i) => (i < clear ? [i] : []))
  const out: number[] = []
  let table = [...roots]
  let width = codeSize + 1
  let previous: number[] | undefined
  for (let bit = 0; ;) {
    let code = 0
    for (let i = 0; i < width; i++, bit++) code |= ((data[bit >> 3]! >> (bit & 7)) & 1) << i
    if (code === clear + 1) return out
    if (code === clear) {
      table = [...roots]
      width = codeSize + 1
      previous = undefined
      continue
    }
    const entry = table[code] ?? [...previous!, previous![0]!]
    out.push(...entry)
    if (previous !== undefined && table.length < 4096) table.push([...previous, entry[0]!])
    if (table.length === 1 << width && width < 12) width++
    previous = entry
  }
}
