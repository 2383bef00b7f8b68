import { ArmatureError } from '../../src/core/errors.ts'
import type { TriangleMesh } from './triangle-mesh.ts'
import { MAX_TRIANGLES, weld } from './triangle-mesh.ts'

const HEADER_BYTES = 84
const TRIANGLE_BYTES = 50
const KEYWORDS = ['facet', 'outer', 'endloop', 'endfacet', 'solid', 'endsolid']

/**
 * Reads an STL file, binary or ASCII. Corners at the same point become one vertex, triangles without area are left out, and the normals in the file
 * are ignored in favour of the order of the corners.
 * @param name stands in errors.
 * @throws ArmatureError `corrupt-file` with the byte or line where the file stops being STL, or when no triangle is left.
 */
export function parseStl(bytes: Uint8Array, name: string): TriangleMesh {
  const corners = isBinary(bytes) ? readBinary(bytes, name) : readAscii(bytes, name)
  const mesh = weld(corners)
  if (mesh.triangles.length === 0) throw corrupt(name, 'triangles with an area', 'none')
  return mesh
}

/** Some binary files begin with `solid` as ASCII ones do, so the length decides where it can. */
function isBinary(bytes: Uint8Array): boolean {
  if (bytes.length >= HEADER_BYTES && bytes.length === HEADER_BYTES + TRIANGLE_BYTES * binaryCount(bytes)) return true
  return !/^\s*solid\b/i.test(new TextDecoder('latin1').decode(bytes.subarray(0, HEADER_BYTES)))
}

function binaryCount(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(HEADER_BYTES - 4, true)
}

function readBinary(bytes: Uint8Array, name: string): Float64Array {
  if (bytes.length < HEADER_BYTES) throw corrupt(name, `a header of ${HEADER_BYTES} bytes`, `${bytes.length} bytes`)
  const count = checkCount(binaryCount(bytes), name)
  const size = HEADER_BYTES + TRIANGLE_BYTES * count
  if (bytes.length < size) throw corrupt(name, `${size} bytes for ${count} triangles`, `${bytes.length} bytes`)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const corners = new Float64Array(count * 9)
  for (let triangle = 0; triangle < count; triangle++) {
    // Twelve bytes of normal come first.
    const start = HEADER_BYTES + triangle * TRIANGLE_BYTES + 12
    for (let i = 0; i < 9; i++) {
      const value = view.getFloat32(start + i * 4, true)
      if (!Number.isFinite(value)) throw corrupt(name, 'finite corners', `${value} at byte ${start + i * 4}`)
      corners[triangle * 9 + i] = value
    }
  }
  return corners
}

function readAscii(bytes: Uint8Array, name: string): Float64Array {
  const corners: number[] = []
  let inFacet = 0
  let ended = false
  for (const [index, line] of new TextDecoder('latin1')
    .decode(bytes)
    .split(/\r\n|\r|\n/)
    .entries()) {
    const where = `${name} line ${index + 1}`
    const [keyword = '', ...rest] = line.trim().toLowerCase().split(/\s+/)
    if (keyword === '') continue
    if (keyword === 'vertex') {
      const point = rest.map((text) => (text === '' ? NaN : Number(text)))
      if (point.length !== 3 || !point.every(Number.isFinite)) throw corrupt(where, 'a vertex of 3 finite numbers')
      corners.push(...point)
      inFacet++
    } else if (!KEYWORDS.includes(keyword)) {
      throw corrupt(where, 'a line of ASCII STL', `"${keyword.slice(0, 40)}"`)
    } else if (keyword === 'endfacet') {
      if (inFacet !== 3) throw corrupt(where, '3 vertices in a facet', String(inFacet))
      inFacet = 0
      checkCount(corners.length / 9, name)
    } else if (keyword === 'endsolid') {
      ended = true
    }
  }
  if (!ended || inFacet !== 0) throw corrupt(name, 'endsolid at its end', 'a file that breaks off')
  return Float64Array.from(corners)
}

function checkCount(triangles: number, name: string): number {
  if (triangles <= MAX_TRIANGLES) return triangles
  throw new ArmatureError('corrupt-file', name, {
    expected: `at most ${MAX_TRIANGLES} triangles`,
    got: String(triangles),
    fix: 'simplify the mesh',
  })
}

function corrupt(name: string, expected: string, got?: string): ArmatureError {
  return new ArmatureError('corrupt-file', `STL ${name}`, { expected, ...(got === undefined ? {} : { got }) })
}
