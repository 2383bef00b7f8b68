import { fc } from '../../fast-check.ts'
import { describe, expect, it } from 'vitest'
import { parseStl } from '../../../envs/robots/stl.ts'
import { MAX_TRIANGLES } from '../../../envs/robots/triangle-mesh.ts'
import { ArmatureError } from '../../../src/core/errors.ts'

type Point = readonly [number, number, number]

const CORNERS: readonly Point[] = [
  [0, 0, 0],
  [2, 0, 0],
  [0, 3, 0],
  [0, 0, 4],
]
/** A tetrahedron of volume 4, seen from outside. */
const FACES = [
  [0, 2, 1],
  [0, 1, 3],
  [0, 3, 2],
  [1, 2, 3],
].map((face) => face.map((corner) => CORNERS[corner]!))

function binary(faces: readonly (readonly Point[])[], header = ''): Uint8Array {
  const bytes = new Uint8Array(84 + 50 * faces.length)
  const view = new DataView(bytes.buffer)
  bytes.set(new TextEncoder().encode(header))
  view.setUint32(80, faces.length, true)
  for (const [t, face] of faces.entries()) {
    for (const [i, value] of face.flat().entries()) view.setFloat32(84 + 50 * t + 12 + 4 * i, value, true)
  }
  return bytes
}

function ascii(faces: readonly (readonly Point[])[], lineEnd = '\n'): Uint8Array {
  const lines = faces.flatMap((face) => [
    'facet normal 0 0 0',
    ' outer loop',
    ...face.map((point) => `  vertex ${point.join(' ')}`),
    ' endloop',
    'endfacet',
  ])
  return new TextEncoder().encode(['solid a thing', ...lines, 'endsolid', ''].join(lineEnd))
}

function volume({ vertices, triangles }: ReturnType<typeof parseStl>): number {
  let sum = 0
  for (let t = 0; t < triangles.length; t += 3) {
    const [p, q, r] = [0, 1, 2].map((c) => [...vertices.subarray(triangles[t + c]! * 3, triangles[t + c]! * 3 + 3)])
    const [px, py, pz] = p as [number, number, number]
    const [qx, qy, qz] = q as [number, number, number]
    const [rx, ry, rz] = r as [number, number, number]
    sum += px * (qy * rz - qz * ry) + py * (qz * rx - qx * rz) + pz * (qx * ry - qy * rx)
  }
  return sum / 6
}

describe('parseStl', () => {
  it.each([
    ['binary', binary(FACES)],
    ['binary that calls itself solid', binary(FACES, 'solid exported by a program')],
    ['binary with bytes behind it', Uint8Array.of(...binary(FACES), 0, 0, 0)],
    ['a view into a larger buffer', Uint8Array.of(1, 2, 3, ...binary(FACES)).subarray(3)],
    ['ASCII', ascii(FACES)],
    ['ASCII with lines of Windows', ascii(FACES, '\r\n')],
    ['ASCII in capitals', new TextEncoder().encode(new TextDecoder().decode(ascii(FACES)).toUpperCase())],
  ])('reads %s: a closed surface of shared vertices', (_name, bytes) => {
    const mesh = parseStl(bytes, 'part.stl')
    expect(mesh.vertices).toHaveLength(4 * 3)
    expect(mesh.triangles).toHaveLength(4 * 3)
    expect(volume(mesh)).toBeCloseTo(4, 12)
  })

  it('leaves out triangles without an area', () => {
    const line: Point[] = [CORNERS[0]!, CORNERS[1]!, [1, 0, 0]]
    const twice: Point[] = [CORNERS[2]!, CORNERS[2]!, CORNERS[3]!]
    expect(parseStl(binary([line, ...FACES, twice]), 'part.stl').triangles).toHaveLength(4 * 3)
    expect(() => parseStl(binary([line, twice]), 'part.stl')).toThrow(/part.stl: expected triangles with an area/)
  })

  it.each([
    ['an empty file', new Uint8Array(0), /header of 84 bytes, got 0 bytes/],
    ['a cut binary file', binary(FACES).subarray(0, 150), /284 bytes for 4 triangles, got 150 bytes/],
    [
      'corners that are not numbers',
      binary([[[NaN, 0, 0], CORNERS[1]!, CORNERS[2]!]]),
      /finite corners, got NaN at byte 96/,
    ],
    ['a cut ASCII file', ascii(FACES).subarray(0, -9), /endsolid at its end/],
    ['a word for a number', edited('vertex 2 0 0', 'vertex 2 x 0'), /line 6: expected a vertex of 3 finite numbers/],
    ['two numbers for three', edited('vertex 2 0 0', 'vertex 2 0'), /line 6: expected a vertex/],
    ['two vertices for three', edited('  vertex 2 0 0\n', ''), /line 7: expected 3 vertices in a facet, got 2/],
    ['other text', edited('outer loop', 'inner loop'), /line 3: expected a line of ASCII STL, got "inner"/],
  ])('refuses %s', (_name, bytes, message) => {
    expect(() => parseStl(bytes, 'part.stl')).toThrow(message)
  })

  it('refuses files that are too large before it reads them', () => {
    const bytes = new Uint8Array(84)
    new DataView(bytes.buffer).setUint32(80, 0xffffffff, true)
    expect(() => parseStl(bytes, 'part.stl')).toThrow(`at most ${MAX_TRIANGLES} triangles, got 4294967295`)
  })

  it('reads or refuses any bytes', () => {
    const noise = fc.uint8Array({ maxLength: 300 })
    const cut = fc.tuple(
      fc.constantFrom(binary(FACES), ascii(FACES)),
      fc.nat(200),
      noise.map((n) => n.subarray(0, 8)),
    )
    const damaged = cut.map(([bytes, at, bits]) => {
      const copy = bytes.slice()
      copy.set(bits, Math.min(at, copy.length - bits.length))
      return copy
    })
    const outcomes = { read: 0, refused: 0 }
    fc.assert(
      fc.property(fc.oneof(noise, damaged), (bytes) => {
        try {
          const { vertices, triangles } = parseStl(bytes, 'part.stl')
          expect(Math.max(...triangles)).toBe(vertices.length / 3 - 1)
          outcomes.read++
        } catch (error) {
          if (!(error instanceof ArmatureError)) throw error
          expect(error.code).toBe('corrupt-file')
          outcomes.refused++
        }
      }),
      { numRuns: 500, seed: 1 },
    )
    expect(Math.min(outcomes.read, outcomes.refused)).toBeGreaterThan(20)
  })
})

function edited(from: string, to: string): Uint8Array {
  return new TextEncoder().encode(new TextDecoder().decode(ascii(FACES)).replace(from, to))
}
