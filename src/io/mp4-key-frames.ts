/** A part of an MP4 file: four bytes of size, four of a name, and what is in it. */
interface Box {
  readonly name: string
  readonly start: number
  readonly end: number
}

const HEADER = 8
/** H.264: a slice of a picture that decoding can start at. */
const IDR_SLICE = 5

/**
 * The MP4 file of an encoder that does not say which of its frames are key frames, with a list of them (`stss`). Without one, all count as
 * key frames, and players that seek start in the middle of a group, where they show the wrong picture or none.
 *
 * @param video with one track, `moov` after `mdat`, and H.264 in samples of NAL units behind four bytes of size each
 * @throws Error for a file of another form
 */
export function withKeyFrames(video: Uint8Array): Uint8Array {
  const bytes = Buffer.from(video.buffer, video.byteOffset, video.byteLength)
  const top = boxes(bytes, 0, bytes.length)
  const [media, moov] = [find(top, 'mdat'), find(top, 'moov')]
  if (moov.start < media.start) throw new Error('an MP4 file whose index comes first')
  const path = ['trak', 'mdia', 'minf', 'stbl'].reduce<Box[]>(
    (above, name) => [...above, find(boxes(bytes, above.at(-1)!.start + HEADER, above.at(-1)!.end), name)],
    [moov],
  )
  const table = path.at(-1)!
  const list = keyFrameBox(keyFrames(bytes, media, find(boxes(bytes, table.start + HEADER, table.end), 'stsz')))
  const out = Buffer.concat([bytes.subarray(0, table.end), list, bytes.subarray(table.end)])
  for (const { start, end } of path) out.writeUInt32BE(end - start + list.length, start)
  return out
}

function boxes(bytes: Buffer, from: number, to: number): Box[] {
  const found: Box[] = []
  for (let at = from; at + HEADER <= to;) {
    const size = bytes.readUInt32BE(at)
    if (size < HEADER || at + size > to) throw new Error('an MP4 file of boxes that do not fit')
    found.push({ name: bytes.toString('latin1', at + 4, at + HEADER), start: at, end: at + size })
    at += size
  }
  return found
}

function find(among: readonly Box[], name: string): Box {
  const box = among.find((one) => one.name === name)
  if (box === undefined) throw new Error(`an MP4 file without ${name}`)
  return box
}

/** Numbers of the samples, from 1, that hold a key frame. They lie one behind the other, in the sizes that `stsz` gives: one for all, or each its own. */
function keyFrames(bytes: Buffer, media: Box, sizes: Box): number[] {
  const [common, count] = [4, 8].map((at) => bytes.readUInt32BE(sizes.start + HEADER + at)) as [number, number]
  const found: number[] = []
  let at = media.start + HEADER
  for (let i = 0; i < count; i++) {
    const end = at + (common || bytes.readUInt32BE(sizes.start + HEADER + 12 + 4 * i))
    if (end > media.end) throw new Error('an MP4 file whose samples do not fit')
    for (let unit = at; unit + 4 < end; unit += 4 + bytes.readUInt32BE(unit)) {
      if ((bytes[unit + 4]! & 0x1f) === IDR_SLICE) found.push(i + 1)
    }
    at = end
  }
  return [...new Set(found)]
}

function keyFrameBox(numbers: readonly number[]): Buffer {
  const box = Buffer.alloc(HEADER + 8 + 4 * numbers.length)
  box.writeUInt32BE(box.length, 0)
  box.write('stss', 4, 'latin1')
  box.writeUInt32BE(numbers.length, HEADER + 4)
  for (const [i, number] of numbers.entries()) box.writeUInt32BE(number, HEADER + 8 + 4 * i)
  return box
}
