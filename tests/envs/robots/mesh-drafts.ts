type Point = readonly [number, number, number]

/** The corners, and the triangles seen from outside, of a box of 4 x 4 x 30 cm that stands on the origin. */
export function boxFaces(scale = 1): readonly (readonly [Point, Point, Point])[] {
  const corner = (i: number): Point => [
    scale * (i & 1 ? 0.02 : -0.02),
    scale * (i & 2 ? 0.02 : -0.02),
    scale * (i & 4 ? 0.3 : 0),
  ]
  const quads = [
    [0, 2, 3, 1],
    [4, 5, 7, 6],
    [0, 1, 5, 4],
    [2, 6, 7, 3],
    [0, 4, 6, 2],
    [1, 3, 7, 5],
  ] as const
  return quads.flatMap(([a, b, c, d]) => [
    [corner(a), corner(b), corner(c)] as const,
    [corner(a), corner(c), corner(d)] as const,
  ])
}

export function binaryStl(faces: readonly (readonly Point[])[]): Uint8Array {
  const bytes = new Uint8Array(84 + 50 * faces.length)
  const view = new DataView(bytes.buffer)
  view.setUint32(80, faces.length, true)
  for (const [t, face] of faces.entries()) {
    for (const [i, value] of face.flat().entries()) view.setFloat32(84 + 50 * t + 12 + 4 * i, value, true)
  }
  return bytes
}

export function asciiStl(faces: readonly (readonly Point[])[]): string {
  const facets = faces.map(
    (face) =>
      `facet normal 0 0 0\nouter loop\n${face.map((p) => `vertex ${p.join(' ')}`).join('\n')}\nendloop\nendfacet`,
  )
  return `solid box\n${facets.join('\n')}\nendsolid box\n`
}

/** With every point once, as exporters write it. */
export function obj(faces: readonly (readonly Point[])[]): string {
  const indices = new Map<string, number>()
  const indexOf = (point: Point): number => {
    const key = point.join(' ')
    if (!indices.has(key)) indices.set(key, indices.size + 1)
    return indices.get(key)!
  }
  const triangles = faces.map((face) => `f ${face.map(indexOf).join(' ')}`)
  const points = [...indices.keys()].map((key) => `v ${key}`)
  return `mtllib box.mtl\n${points.join('\n')}\nusemtl red\n${triangles.join('\n')}\n`
}

export const RED_MTL = 'newmtl red\nKd 1 0 0\n'

/** COLLADA in `metres` per unit, in blue, with its node moved by `shift`. */
export function collada(faces: readonly (readonly Point[])[], metres = 1, shift: Point = [0, 0, 0]): string {
  const points = faces.flat(2)
  const indices = Array.from({ length: points.length / 3 }, (_, i) => i)
  return `<?xml version="1.0"?>
<COLLADA xmlns="http://www.collada.org/2005/11/COLLADASchema" version="1.4.1">
<asset><unit name="unit" meter="${metres}"/><up_axis>Z_UP</up_axis></asset>
<library_images><image id="wood"><init_from>wood.png</init_from></image></library_images>
<library_effects><effect id="paint"><profile_COMMON><technique sid="common"><phong>
<emission><texture texture="wood" texcoord="UV"/></emission><diffuse><color>0 0 1 1</color></diffuse>
</phong></technique></profile_COMMON></effect></library_effects>
<library_materials><material id="blue"><instance_effect url="#paint"/></material></library_materials>
<library_geometries><geometry id="box"><mesh>
<source id="p"><float_array id="pa" count="${points.length}">${points.join(' ')}</float_array><technique_common>
<accessor source="#pa" count="${points.length / 3}" stride="3"><param name="X" type="float"/><param name="Y" type="float"/><param name="Z" type="float"/></accessor>
</technique_common></source><vertices id="v"><input semantic="POSITION" source="#p"/></vertices>
<triangles count="${faces.length}" material="m"><input semantic="VERTEX" source="#v" offset="0"/><p>${indices.join(' ')}</p></triangles>
</mesh></geometry></library_geometries>
<library_visual_scenes><visual_scene id="scene"><node><translate>${shift.join(' ')}</translate>
<instance_geometry url="#box"><bind_material><technique_common><instance_material symbol="m" target="#blue"/></technique_common></bind_material></instance_geometry>
</node></visual_scene></library_visual_scenes><scene><instance_visual_scene url="#scene"/></scene></COLLADA>`
}

/** A ball of about `triangles` triangles, of 6 cm, 15 cm above the origin. */
export function ballFaces(triangles: number): readonly (readonly [Point, Point, Point])[] {
  const n = Math.ceil(Math.sqrt(triangles / 2))
  const at = (i: number, j: number): Point => {
    const [up, around] = [(Math.PI * i) / n, (2 * Math.PI * (j % n)) / n]
    return [0.03 * Math.sin(up) * Math.cos(around), 0.03 * Math.sin(up) * Math.sin(around), 0.15 + 0.03 * Math.cos(up)]
  }
  const faces: (readonly [Point, Point, Point])[] = []
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      if (i > 0) faces.push([at(i, j), at(i + 1, j), at(i, j + 1)])
      if (i < n - 1) faces.push([at(i, j + 1), at(i + 1, j), at(i + 1, j + 1)])
    }
  }
  return faces
}

/** The same ball with a surface as rough as that of a scanned part, which does not collapse to a few planes; other seeds give other ones. */
export function roughBallFaces(triangles: number, seed: number): readonly (readonly [Point, Point, Point])[] {
  const rough = ([x, y, z]: Point): Point => {
    const size = 1 + 0.05 * Math.sin(900 * x + 7 * seed) * Math.sin(1100 * y) * Math.sin(1300 * z)
    return [x * size, y * size, 0.15 + (z - 0.15) * size]
  }
  return ballFaces(triangles).map(([a, b, c]) => [rough(a), rough(b), rough(c)])
}
