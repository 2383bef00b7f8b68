import { describe, expect, it } from 'vitest'
import type { CameraSpec } from '../../envs/camera/camera.ts'
import { focalLengthPx, lookAt } from '../../envs/camera/camera.ts'
import { COARSE, FINE, MEDIUM, meshOf } from '../../envs/camera/meshes.ts'
import type { ShapeSpec } from '../../envs/camera/meshes.ts'
import { Rasterizer } from '../../envs/camera/rasterizer.ts'
import type { PrimitiveSpec, SceneSpec } from '../../envs/camera/scene.ts'
import { Scene, setPosition, setRotation } from '../../envs/camera/scene.ts'
import { DISTRACTOR_ID } from '../../src/core/env.ts'
import { Rng } from '../../src/core/rng.ts'

const DOWN: CameraSpec = {
  name: 'down',
  eyeM: [0, 0, 1],
  targetM: [0, 0, 0],
  up: [0, 1, 0],
  fovYDeg: 53.13010235415598,
}
const OBLIQUE: CameraSpec = { name: 'oblique', eyeM: [0.1, -0.8, 0.6], targetM: [0, 0, 0], fovYDeg: 50 }

const SHAPES: readonly ShapeSpec[] = [
  { kind: 'box', halfExtentsM: [0.06, 0.04, 0.05] },
  { kind: 'cylinder', radiusM: 0.05, heightM: 0.08 },
  { kind: 'sphere', radiusM: 0.06 },
  { kind: 'capsule', radiusM: 0.04, heightM: 0.06 },
]

const L_SIDE = [
  [0, 1, 2],
  [0, 2, 3],
  [0, 3, 4],
  [0, 4, 5],
] as const
/** An L of three cubes of 10 cm, which lies in the xz plane and is not convex; the last triangle has no area. */
const L_MESH: Extract<ShapeSpec, { kind: 'mesh' }> = {
  kind: 'mesh',
  vertices: [-0.05, 0.05].flatMap((y) =>
    [0, 0, 0.2, 0, 0.2, 0.1, 0.1, 0.1, 0.1, 0.2, 0, 0.2].flatMap((v, i, xz) => (i % 2 === 0 ? [v, y, xz[i + 1]!] : [])),
  ),
  triangles: [
    ...L_SIDE.flat(),
    ...L_SIDE.flatMap(([a, b, c]) => [a + 6, c + 6, b + 6]),
    ...[0, 1, 2, 3, 4, 5].flatMap((i) => {
      const j = (i + 1) % 6
      return [i, i + 6, j, j, i + 6, j + 6]
    }),
    0,
    1,
    1,
  ],
}

function sceneOf(primitives: readonly PrimitiveSpec[], more: Partial<SceneSpec> = {}): Scene {
  return new Scene({ background: [10, 20, 30], lightDirection: [0, 0, 1], ambient: 0.4, primitives, ...more })
}

/** A table with all shapes turned and placed at random, reproducibly. */
function clutter(seed: number, isStatic: (index: number) => boolean): Scene {
  const rng = new Rng(seed)
  const things = Array.from({ length: 11 }, (_, i): PrimitiveSpec => {
    const quat = Array.from({ length: 4 }, () => rng.normal())
    const norm = Math.hypot(...quat)
    return {
      name: `thing-${i}`,
      shape: SHAPES[i % 4]!,
      color: [rng.int(256), rng.int(256), rng.int(256)],
      castsShadow: true,
      isStatic: isStatic(i),
      positionM: [rng.uniform(-0.35, 0.35), rng.uniform(-0.3, 0.3), rng.uniform(0.08, 0.2)],
      quatXyzw: quat.map((q) => q / norm) as [number, number, number, number],
    }
  })
  const table: PrimitiveSpec = {
    name: 'table',
    shape: { kind: 'plane', halfExtentsM: [0.6, 0.6] },
    color: [90, 95, 100],
    checker: { color: [120, 125, 130], squareM: 0.1 },
    isStatic: true,
  }
  return sceneOf([table, ...things], { shadow: { onto: 'table', z: 0, strength: 0.4 }, lightDirection: [0.3, -0.2, 1] })
}

function pixelAt(camera: Rasterizer, column: number, row: number): number[] {
  const at = (row * camera.width + column) * 3
  return [...camera.rgb.subarray(at, at + 3)]
}

describe('meshOf', () => {
  it.each([...SHAPES, L_MESH])('closes a $kind: every edge has two faces, volume as it should be', (shape) => {
    for (const detail of [COARSE, MEDIUM, FINE]) {
      const mesh = meshOf(shape, detail)
      const edges = new Map<string, number>()
      const key = (v: number): string => [0, 1, 2].map((k) => mesh.vertices[v * 3 + k]!.toFixed(9)).join()
      let volume = 0
      for (let f = 0; f < mesh.faceFlat.length; f++) {
        const corners = [...mesh.cornerVertex.subarray(mesh.faceStart[f], mesh.faceStart[f + 1])]
        for (const [i, a] of corners.entries()) {
          const b = corners[(i + 1) % corners.length]!
          edges.set(`${key(a)} ${key(b)}`, (edges.get(`${key(a)} ${key(b)}`) ?? 0) + 1)
        }
        for (let i = 1; i + 1 < corners.length; i++)
          volume += tetrahedron(mesh.vertices, corners[0]!, corners[i]!, corners[i + 1]!)
      }
      for (const [edge, count] of edges) {
        expect(count).toBe(1)
        expect(edges.get(edge.split(' ').toReversed().join(' '))).toBe(1)
      }
      expect(volume / exactVolume(shape)).toBeGreaterThan(detail === COARSE ? 0.75 : 0.93)
      expect(volume / exactVolume(shape)).toBeLessThanOrEqual(1 + 1e-9)
    }
  })
})

describe('lookAt', () => {
  it('gives a right-handed optical frame that looks at its target', () => {
    const { rotation } = lookAt(OBLIQUE)
    const [x, y, z] = [0, 3, 6].map((i) => [...rotation.subarray(i, i + 3)]) as [number[], number[], number[]]
    const dot = (a: number[], b: number[]): number => a.reduce((sum, v, i) => sum + v * b[i]!, 0)
    expect(dot(x, y)).toBeCloseTo(0, 12)
    expect(dot(x, x)).toBeCloseTo(1, 12)
    expect(x[1]! * y[2]! - x[2]! * y[1]!).toBeCloseTo(z[0]!, 12)
    const toTarget = [-0.1, 0.8, -0.6]
    expect(dot(z, toTarget)).toBeCloseTo(Math.hypot(...toTarget), 12)
    expect(y[2]).toBeLessThan(0)
  })

  it('refuses to look along its up direction', () => {
    expect(() => lookAt({ ...DOWN, up: [0, 0, 1] })).toThrow(/up direction/)
  })
})

describe('Rasterizer', () => {
  it('draws meshes that are not convex as the boxes that they are made of', () => {
    const color = [200, 100, 50] as const
    const cube: ShapeSpec = { kind: 'box', halfExtentsM: [0.05, 0.05, 0.05] }
    const cubes = [
      [0.05, 0, 0.05],
      [0.15, 0, 0.05],
      [0.05, 0, 0.15],
    ] as const
    const shade = { lightDirection: [0.3, -0.5, 1], ambient: 0.3 } as const
    const asMesh = sceneOf([{ name: 'l', shape: L_MESH, color }], shade)
    const asBoxes = sceneOf(
      cubes.map((positionM, i): PrimitiveSpec => ({ name: `cube-${i}`, shape: cube, color, positionM })),
      shade,
    )
    for (const eyeM of [
      [0.4, -0.5, 0.5],
      [0.6, 0.3, 0.25],
      [-0.3, 0.5, -0.2],
    ] as const) {
      const spec: CameraSpec = { name: 'eye', eyeM, targetM: [0.1, 0, 0.1], fovYDeg: 40 }
      const [mesh, boxes] = [asMesh, asBoxes].map((scene) => new Rasterizer(scene, spec, { width: 64, height: 64 }))
      mesh!.render()
      boxes!.render()
      let covered = 0
      let different = 0
      for (let pixel = 0; pixel < 64 * 64; pixel++) {
        if (boxes!.ids[pixel] !== 0) covered++
        const isSame = [0, 1, 2].every((c) => Math.abs(mesh!.rgb[pixel * 3 + c]! - boxes!.rgb[pixel * 3 + c]!) <= 1)
        const depths = [mesh!.depth[pixel]!, boxes!.depth[pixel]!] as const
        if (!isSame || !(depths[0] === depths[1] || Math.abs(depths[0] - depths[1]) < 1e-6)) different++
      }
      expect(covered).toBeGreaterThan(300)
      expect(different).toBeLessThanOrEqual(2)
    }
  })

  it('measures the depth of a plane exactly, also where the plane passes behind the camera', () => {
    const scene = sceneOf([{ name: 'floor', shape: { kind: 'plane', halfExtentsM: [50, 50] }, color: [200, 200, 200] }])
    const spec: CameraSpec = { name: 'low', eyeM: [0.3, -0.2, 0.5], targetM: [0.2, 1, 0.1], fovYDeg: 70 }
    const camera = new Rasterizer(scene, spec, { width: 40, height: 30 })
    camera.render()
    const { rotation } = lookAt(spec)
    const focal = focalLengthPx(70, 30)
    let ground = 0
    for (let row = 0; row < 30; row++) {
      for (let column = 0; column < 40; column++) {
        const [x, y] = [(column + 0.5 - 20) / focal, (row + 0.5 - 15) / focal]
        const down = -(rotation[2]! * x + rotation[5]! * y + rotation[8]!)
        const expected = 0.5 / down
        const depth = camera.depth[row * 40 + column]!
        if (down > 0 && expected < 40) {
          expect(Math.abs(depth - expected) / expected).toBeLessThan(1e-5)
          ground++
        } else if (down <= 0) expect(depth).toBe(Infinity)
      }
    }
    expect(ground).toBeGreaterThan(600)
  })

  it('draws a sphere as the disc that perspective makes of it', () => {
    const ball: PrimitiveSpec = { name: 'ball', shape: { kind: 'sphere', radiusM: 0.2 }, color: [255, 0, 0] }
    const camera = new Rasterizer(sceneOf([ball]), DOWN, { width: 400, height: 400 })
    camera.render()
    const radiusPx = (focalLengthPx(DOWN.fovYDeg, 400) * 0.2) / Math.sqrt(1 - 0.2 * 0.2)
    const area = camera.ids.reduce((sum, id) => sum + id, 0)
    expect(area / (Math.PI * radiusPx * radiusPx)).toBeCloseTo(1, 1.7)
    expect(camera.depth[200 * 400 + 200]).toBeCloseTo(0.8, 3)
    expect(camera.ids[0]).toBe(0)
    expect(pixelAt(camera, 0, 0)).toEqual([10, 20, 30])
  })

  it('leaves no holes: all of a shape is there, down to thin faces', () => {
    for (const shape of SHAPES) {
      const scene = sceneOf([{ name: 'thing', shape, color: [255, 255, 255] }])
      for (let turn = 0; turn < 12; turn++) {
        setRotation(scene.primitive('thing'), Math.sin(turn * 0.26), 0, 0, Math.cos(turn * 0.26))
        const camera = new Rasterizer(scene, OBLIQUE, { width: 90, height: 90 })
        camera.render()
        let rows = 0
        for (let row = 0; row < 90; row++) {
          const covered = [...camera.ids.subarray(row * 90, row * 90 + 90)]
          const [first, last] = [covered.indexOf(1), covered.lastIndexOf(1)]
          if (first < 0) continue
          expect(covered.slice(first, last + 1)).not.toContain(0)
          rows++
        }
        expect(rows).toBeGreaterThan(5)
      }
    }
  })

  it('shows what is nearer, whatever is drawn first', () => {
    const cube = (name: string, z: number): PrimitiveSpec => ({
      name,
      shape: { kind: 'box', halfExtentsM: [0.1, 0.1, 0.1] },
      color: [255, 255, 255],
      positionM: [0, 0, z],
    })
    for (const order of [
      [0, 0.3],
      [0.3, 0],
    ]) {
      const camera = new Rasterizer(sceneOf(order.map((z) => cube(`at ${z}`, z))), DOWN, { width: 21, height: 21 })
      camera.render()
      expect(camera.ids[10 * 21 + 10]).toBe(order.indexOf(0.3) + 1)
      expect(camera.depth[10 * 21 + 10]).toBeCloseTo(0.6, 5)
    }
  })

  it('shades by the angle to the light and paints squares where they are', () => {
    const scene = sceneOf(
      [
        {
          name: 'floor',
          shape: { kind: 'plane', halfExtentsM: [0.5, 0.5] },
          color: [100, 100, 100],
          checker: { color: [200, 200, 200], squareM: 0.25 },
        },
      ],
      { lightDirection: [Math.sqrt(3), 0, 1], ambient: 0.4 },
    )
    const camera = new Rasterizer(scene, DOWN, { width: 20, height: 20 })
    camera.render()
    // cos 60 degrees = 1/2: shade 0.4 + 0.6 / 2. Squares change colour every 5 pixels of 5 cm.
    expect(pixelAt(camera, 12, 7)).toEqual([70, 70, 70])
    expect(pixelAt(camera, 7, 7)).toEqual([140, 140, 140])
    expect(pixelAt(camera, 12, 12)).toEqual([140, 140, 140])
    expect(pixelAt(camera, 17, 2)).toEqual([70, 70, 70])
  })

  it('throws the shadow where the light puts it, once', () => {
    const floor: PrimitiveSpec = {
      name: 'floor',
      shape: { kind: 'plane', halfExtentsM: [0.5, 0.5] },
      color: [200, 200, 200],
      isStatic: true,
    }
    const box = (name: string, z: number): PrimitiveSpec => ({
      name,
      shape: { kind: 'box', halfExtentsM: [0.05, 0.05, 0.001] },
      color: [255, 0, 0],
      positionM: [-0.3, 0, z],
      castsShadow: true,
    })
    // Two boxes on one line towards the light: their shadows at the origin overlap.
    const scene = sceneOf([floor, box('near', 0.3), { ...box('far', 0.2), positionM: [-0.2, 0, 0.2] }], {
      lightDirection: [-1, 0, 1],
      ambient: 1,
      shadow: { onto: 'floor', z: 0, strength: 0.5 },
    })
    const camera = new Rasterizer(scene, DOWN, { width: 100, height: 100 })
    camera.render()
    expect(pixelAt(camera, 50, 50)).toEqual([100, 100, 100])
    expect(pixelAt(camera, 53, 47)).toEqual([100, 100, 100])
    expect(pixelAt(camera, 57, 50)).toEqual([200, 200, 200])
    expect(pixelAt(camera, 50, 57)).toEqual([200, 200, 200])
    expect(camera.ids[50 * 100 + 50]).toBe(1)
  })

  it('hides what is for people only', () => {
    const marker: PrimitiveSpec = {
      name: 'goal',
      shape: { kind: 'sphere', radiusM: 0.1 },
      color: [0, 255, 0],
      visibleToCameras: false,
    }
    const scene = sceneOf([marker])
    const size = { width: 9, height: 9 }
    const [hidden, shown] = [
      new Rasterizer(scene, DOWN, size),
      new Rasterizer(scene, { ...DOWN, showsHidden: true }, size),
    ]
    for (const camera of [hidden, shown]) camera.render()
    expect([hidden.ids[40], shown.ids[40]]).toEqual([0, 1])
    scene.primitive('goal').visible = false
    shown.render()
    expect(shown.ids[40]).toBe(0)
  })

  it.each([1, 2] as const)('keeps static primitives without changing a pixel (supersample %i)', (supersample) => {
    const size = { width: 64, height: 48 }
    const scene = clutter(3, (i) => i % 3 === 0)
    const used = new Rasterizer(scene, OBLIQUE, size, supersample)
    const rng = new Rng(1)
    for (let frame = 0; frame < 8; frame++) {
      for (const primitive of scene.primitives) {
        if (primitive.spec.isStatic !== true) {
          setPosition(primitive, rng.uniform(-0.4, 0.4), rng.uniform(-0.4, 0.4), rng.uniform(0.05, 0.2))
        }
      }
      used.render()
      const fresh = new Rasterizer(scene, OBLIQUE, size, supersample)
      fresh.render()
      expect(Buffer.compare(used.rgb, fresh.rgb)).toBe(0)
      expect(used.depth).toEqual(fresh.depth)
      expect(used.ids).toEqual(fresh.ids)
    }
  })

  it('draws static primitives anew when one, the light or the camera changes, and then keeps them', () => {
    const size = { width: 40, height: 30 }
    const scene = clutter(3, (i) => i % 2 === 0)
    const used = new Rasterizer(scene, OBLIQUE, size, 2)
    used.render()
    const thing = scene.primitive('thing-2')
    let spec = OBLIQUE
    const changes: (() => void)[] = [
      () => setPosition(thing, 0.1, 0.1, 0.2),
      () => setRotation(thing, 0, 0, 1, 0),
      () => thing.color.set([255, 0, 255]),
      () => void (thing.visible = false),
      () => void (scene.primitive('table').texture = { kind: 'stripes', color: [200, 0, 0], scaleM: 0.1 }),
      () => scene.setLight(-1, 0.5, 1),
      () => void (scene.ambient = 0.8),
      () => used.aim((spec = { ...spec, eyeM: [0.3, -0.7, 0.6] })),
      () => used.aim((spec = { ...spec, fovYDeg: 40 })),
    ]
    for (const change of changes) {
      const before = used.rgb.slice()
      change()
      used.render()
      expect(Buffer.compare(used.rgb, before)).not.toBe(0)
      for (let frame = 0; frame < 2; frame++) {
        const fresh = new Rasterizer(scene, spec, size, 2)
        fresh.render()
        expect(Buffer.compare(used.rgb, fresh.rgb)).toBe(0)
        expect(used.depth).toEqual(fresh.depth)
        expect(used.ids).toEqual(fresh.ids)
        setPosition(scene.primitive('thing-1'), 0.05 * frame, 0, 0.3)
        used.render()
      }
    }
  })

  it.each([1, 2] as const)('sees from a mount what a camera at that place sees (supersample %i)', (supersample) => {
    const size = { width: 40, height: 30 }
    const scene = clutter(4, (i) => i < 5)
    const wrist = scene.primitive('thing-8')
    const mounted = new Rasterizer(
      scene,
      { name: 'wrist', eyeM: [0.02, 0.01, 0.3], targetM: [0, 0, 0], up: [0, 1, 0], fovYDeg: 60, mount: 'thing-8' },
      size,
      supersample,
    )
    for (let step = 0; step < 4; step++) {
      // A turn about z by `angle`, so that the world's numbers are easy to write down.
      const angle = 0.7 * step
      setRotation(wrist, 0, 0, Math.sin(angle / 2), Math.cos(angle / 2))
      setPosition(wrist, 0.1 * step - 0.2, 0.05, 0.15)
      const [c, s] = [Math.cos(angle), Math.sin(angle)]
      const [x, y, z] = wrist.position as unknown as [number, number, number]
      const fixed: CameraSpec = {
        name: 'fixed',
        eyeM: [x + 0.02 * c - 0.01 * s, y + 0.02 * s + 0.01 * c, z + 0.3],
        targetM: [x, y, z],
        up: [-s, c, 0],
        fovYDeg: 60,
      }
      const still = new Rasterizer(scene, fixed, size, supersample)
      mounted.render()
      still.render()
      let different = 0
      for (let i = 0; i < still.ids.length; i++) if (still.ids[i] !== mounted.ids[i]) different++
      // Rounding may move an edge across a pixel's centre.
      expect(different).toBeLessThanOrEqual(2)
      expect(new Set(mounted.ids).size).toBeGreaterThan(2)
      for (const [k, value] of still.matrices().extrinsics.entries()) {
        expect(mounted.matrices().extrinsics[k]).toBeCloseTo(value, 12)
      }
    }
    expect(() => new Rasterizer(scene, { ...OBLIQUE, mount: 'nothing' }, size)).toThrow(/"nothing"/)
  })

  it('projects points to the pixels that show them', () => {
    const scene = clutter(6, () => false)
    const camera = new Rasterizer(scene, OBLIQUE, { width: 120, height: 90 })
    camera.render()
    const { intrinsics, extrinsics } = camera.matrices()
    let seen = 0
    for (const { id, position } of scene.primitives.slice(1)) {
      const q = [0, 1, 2].map(
        (r) => extrinsics[r * 4 + 3]! + [0, 1, 2].reduce((sum, k) => sum + extrinsics[r * 4 + k]! * position[k]!, 0),
      )
      const k = [0, 1, 2].map((r) => [0, 1, 2].reduce((sum, c) => sum + intrinsics[r * 3 + c]! * q[c]!, 0))
      const pixel = Math.floor(k[1]! / k[2]!) * 120 + Math.floor(k[0]! / k[2]!)
      if (camera.ids[pixel] !== id) continue
      seen++
      expect(camera.depth[pixel]).toBeLessThan(q[2]!)
      expect(camera.depth[pixel]).toBeGreaterThan(q[2]! - 0.09)
    }
    expect(seen).toBeGreaterThan(6)
  })

  it.each([
    ['stripes', 2],
    ['noise', 20],
    ['wood', 20],
  ] as const)('paints %s between the two colours, fixed to the object', (kind, colors) => {
    const floor: PrimitiveSpec = {
      name: 'floor',
      shape: { kind: 'plane', halfExtentsM: [0.6, 0.6] },
      color: [200, 100, 0],
      texture: { kind, color: [100, 200, 0], scaleM: 0.1 },
    }
    const scene = sceneOf([floor], { ambient: 1 })
    const camera = new Rasterizer(scene, DOWN, { width: 60, height: 60 })
    camera.render()
    const reds = new Set<number>()
    for (let i = 0; i < camera.rgb.length; i += 3) {
      reds.add(camera.rgb[i]!)
      expect(Math.abs(camera.rgb[i]! + camera.rgb[i + 1]! - 300)).toBeLessThanOrEqual(1)
      expect(camera.rgb[i + 2]).toBe(0)
    }
    expect(reds.size).toBeGreaterThanOrEqual(colors)
    expect(Math.min(...reds)).toBeGreaterThanOrEqual(100)
    expect(Math.max(...reds)).toBeLessThanOrEqual(200)
    // A pixel is 1 / 60 m: 3 of them are 5 cm.
    const left = pixelAt(camera, 20, 30)
    setPosition(scene.primitive('floor'), 0.05, 0, 0)
    camera.render()
    expect(Math.abs(pixelAt(camera, 23, 30)[0]! - left[0]!)).toBeLessThanOrEqual(1)
  })

  it('draws the same whether primitives are static or not', () => {
    const size = { width: 64, height: 64 }
    const [some, none] = [clutter(5, (i) => i < 6), clutter(5, () => false)]
    const [a, b] = [new Rasterizer(some, OBLIQUE, size), new Rasterizer(none, OBLIQUE, size)]
    a.render()
    b.render()
    expect(a.ids).toEqual(b.ids)
    expect(a.depth).toEqual(b.depth)
    expect(Buffer.compare(a.rgb, b.rgb)).toBe(0)
  })

  it('averages four samples per pixel when it supersamples, and takes depth and id of the nearest', () => {
    const scene = clutter(7, (i) => i < 4)
    const [fine, coarse] = [
      new Rasterizer(scene, OBLIQUE, { width: 80, height: 60 }),
      new Rasterizer(scene, OBLIQUE, { width: 40, height: 30 }, 2),
    ]
    fine.render()
    coarse.render()
    for (let row = 0; row < 30; row++) {
      for (let column = 0; column < 40; column++) {
        const samples = [0, 1, 80, 81].map((offset) => row * 160 + column * 2 + offset)
        const nearest = samples.reduce((best, s) => (fine.depth[s]! < fine.depth[best]! ? s : best))
        expect(coarse.depth[row * 40 + column]).toBe(fine.depth[nearest])
        expect(coarse.ids[row * 40 + column]).toBe(fine.ids[nearest])
        const red = samples.reduce((sum, s) => sum + fine.rgb[s * 3]!, 0)
        expect(coarse.rgb[(row * 40 + column) * 3]).toBe((red + 2) >> 2)
      }
    }
  })

  it.each([true, false])(
    'shows a backdrop in every sample of its pixels (onGround %s), and only while it has one',
    (onGround) => {
      const scene = clutter(8, (i) => i < 4)
      // A row of the table's edge and what is beyond it.
      const spec = { ...OBLIQUE, targetM: [0, 0.3, 0.1], fovYDeg: 70 } as const
      const [fine, coarse] = [
        new Rasterizer(scene, spec, { width: 80, height: 60 }),
        new Rasterizer(scene, spec, { width: 40, height: 30 }, 2),
      ]
      coarse.render()
      const [plain, plainIds] = [coarse.rgb.slice(), coarse.ids.slice()]
      const rng = new Rng(1)
      const small = Uint8Array.from({ length: 40 * 30 * 3 }, () => rng.int(256))
      const large = Uint8Array.from({ length: 80 * 60 * 3 }, (_, i) => {
        const [row, column] = [Math.floor(i / 240), Math.floor((i % 240) / 3)]
        return small[((row >> 1) * 40 + (column >> 1)) * 3 + (i % 3)]!
      })
      fine.render({ rgb: large, onGround })
      coarse.render({ rgb: small, onGround })
      for (let row = 0; row < 30; row++) {
        for (let column = 0; column < 40; column++) {
          const samples = [0, 1, 80, 81].map((offset) => row * 160 + column * 2 + offset)
          const nearest = samples.reduce((best, s) => (fine.depth[s]! < fine.depth[best]! ? s : best))
          const pixel = row * 40 + column
          expect(coarse.ids[pixel]).toBe(fine.ids[nearest])
          const isBehind = plainIds[pixel] === 0 || (onGround && plainIds[pixel] === 1)
          expect(coarse.ids[pixel]).toBe(isBehind ? DISTRACTOR_ID : plainIds[pixel])
          for (const c of [0, 1, 2]) {
            const sum = samples.reduce((total, s) => total + fine.rgb[s * 3 + c]!, 0)
            expect(coarse.rgb[pixel * 3 + c]).toBe((sum + 2) >> 2)
          }
        }
      }
      expect(plainIds).toContain(0)
      coarse.render()
      expect(Buffer.compare(coarse.rgb, plain)).toBe(0)
      expect(coarse.ids).toEqual(plainIds)
    },
  )

  it('takes any size and survives objects around and behind the camera', () => {
    const scene = clutter(9, (i) => i < 4)
    const inside: CameraSpec = { name: 'inside', eyeM: [0, 0, 0.1], targetM: [0.3, 0.1, 0.08], fovYDeg: 100 }
    for (const [width, height] of [
      [1, 1],
      [7, 3],
      [3, 200],
      [65, 33],
    ] as const) {
      for (const spec of [DOWN, OBLIQUE, inside]) {
        const camera = new Rasterizer(scene, spec, { width, height }, 2)
        camera.render()
        expect(camera.rgb.length).toBe(width * height * 3)
        expect(camera.depth.every((depth) => depth > 0)).toBe(true)
        expect(camera.ids.every((id) => id <= 12)).toBe(true)
      }
    }
    expect(() => new Rasterizer(scene, DOWN, { width: 0, height: 5 })).toThrow(/camera size/)
  })
})

describe('Scene', () => {
  it('names what is missing or there twice', () => {
    const ball: PrimitiveSpec = { name: 'ball', shape: { kind: 'sphere', radiusM: 0.1 }, color: [0, 0, 0] }
    expect(() => sceneOf([ball, ball])).toThrow(/names that differ/)
    expect(() => sceneOf([ball]).primitive('cube')).toThrow(/"cube"/)
  })
})

function tetrahedron(vertices: Float64Array, a: number, b: number, c: number): number {
  const [p, q, r] = [a, b, c].map((v) => [...vertices.subarray(v * 3, v * 3 + 3)]) as [number[], number[], number[]]
  return (
    (p[0]! * (q[1]! * r[2]! - q[2]! * r[1]!) +
      p[1]! * (q[2]! * r[0]! - q[0]! * r[2]!) +
      p[2]! * (q[0]! * r[1]! - q[1]! * r[0]!)) /
    6
  )
}

function exactVolume(shape: ShapeSpec): number {
  switch (shape.kind) {
    case 'box':
      return 8 * shape.halfExtentsM[0] * shape.halfExtentsM[1] * shape.halfExtentsM[2]
    case 'cylinder':
      return Math.PI * shape.radiusM ** 2 * shape.heightM
    case 'sphere':
      return (4 / 3) * Math.PI * shape.radiusM ** 3
    case 'capsule':
      return (4 / 3) * Math.PI * shape.radiusM ** 3 + Math.PI * shape.radiusM ** 2 * shape.heightM
    case 'plane':
      return 0
    case 'mesh':
      return 0.003
  }
}
