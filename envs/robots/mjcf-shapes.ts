import type { ShapeSpec } from '../camera/meshes.ts'
import { simplified } from './mesh-detail.ts'
import type { MujocoModel } from './mujoco-model.ts'
import { quatOf, rowOf } from './mujoco-model.ts'
import type { Notices } from './notices.ts'
import type { GeometryModel } from './robot-model.ts'
import type { TriangleMesh } from './triangle-mesh.ts'

type Role = 'visual' | 'collision'

/** Geoms of groups up to this one are what MuJoCo's viewer shows. */
const LAST_SHOWN_GROUP = 2
const GEOM = { sphere: 2, capsule: 3, ellipsoid: 4, cylinder: 5, box: 6, mesh: 7 } as const
/** What a geom without a colour of its own has. */
const UNCOLORED = [0.5, 0.5, 0.5, 1]
/** Of an ellipsoid, from pole to pole and around. */
const BANDS = 8
const SEGMENTS = 16

/** The shapes of the bodies of a model. */
export class MjcfShapes {
  readonly #mujoco: MujocoModel
  readonly #missing: ReadonlySet<string>
  readonly #notices: Notices
  readonly #meshes: Record<Role, Map<number, TriangleMesh>> = { visual: new Map(), collision: new Map() }

  /** @param missing paths of meshes in whose place there is a cube. */
  constructor(mujoco: MujocoModel, missing: ReadonlySet<string>, notices: Notices) {
    this.#mujoco = mujoco
    this.#missing = missing
    this.#notices = notices
  }

  /** Reads the meshes of `bodies`, simplified where all together are too detailed. */
  async readMeshes(bodies: ReadonlySet<number>): Promise<void> {
    for (const role of ['visual', 'collision'] as const) {
      const ids = [...bodies].flatMap((body) =>
        this.#geomsOf(body, role)
          .map((geom) => this.#meshOf(geom))
          .filter((id) => id >= 0),
      )
      const unique = [...new Set(ids)]
      const whole = unique.map((id) => this.#readMesh(id))
      const simple = await simplified(
        whole,
        unique.map((id) => ids.filter((one) => one === id).length),
      )
      unique.forEach((id, i) => this.#meshes[role].set(id, simple[i]!))
      if (simple !== whole)
        this.#notices.add(`${role} meshes are simplified`, `${count(whole)} triangles to ${count(simple)}`)
    }
  }

  /** Those of a body, in the frame of the body moved to `anchor`. */
  of(body: number, role: Role, anchor: readonly number[], link: string): GeometryModel[] {
    const { model } = this.#mujoco
    return this.#geomsOf(body, role).flatMap((geom) => {
      const shape = this.#shapeOf(geom, role, link)
      if (shape === undefined) return []
      const [x, y, z] = rowOf(model.geom_pos, geom, 3).map((value, i) => value - anchor[i]!) as [number, number, number]
      const color = this.#colorOf(geom)
      const pose = { positionM: [x, y, z] as const, quatXyzw: quatOf(model.geom_quat, geom) }
      return [{ shape, pose, ...(color === undefined ? {} : { color }) }]
    })
  }

  /** Whether a shape of a body is of a mesh that was not found. */
  isIncomplete(body: number): boolean {
    return (['visual', 'collision'] as const).some((role) =>
      this.#geomsOf(body, role).some((geom) => this.#isMissing(this.#meshOf(geom))),
    )
  }

  #geomsOf(body: number, role: Role): number[] {
    const { model } = this.#mujoco
    const bodies = model.geom_bodyid as Int32Array
    return [...bodies.keys()].filter((geom) => {
      if (bodies[geom] !== body) return false
      if (role === 'visual') {
        return (model.geom_group as Int32Array)[geom]! <= LAST_SHOWN_GROUP && this.#rgbaOf(geom)[3]! > 0
      }
      return (model.geom_contype as Int32Array)[geom] !== 0 || (model.geom_conaffinity as Int32Array)[geom] !== 0
    })
  }

  #shapeOf(geom: number, role: Role, link: string): ShapeSpec | undefined {
    const { model } = this.#mujoco
    const [x, y, z] = rowOf(model.geom_size, geom, 3) as [number, number, number]
    switch ((model.geom_type as Int32Array)[geom]) {
      case GEOM.sphere:
        return { kind: 'sphere', radiusM: x }
      case GEOM.capsule:
        return { kind: 'capsule', radiusM: x, heightM: 2 * y }
      case GEOM.cylinder:
        return { kind: 'cylinder', radiusM: x, heightM: 2 * y }
      case GEOM.box:
        return { kind: 'box', halfExtentsM: [x, y, z] }
      case GEOM.ellipsoid:
        return ellipsoid(x, y, z)
      case GEOM.mesh: {
        const id = this.#meshOf(geom)
        if (this.#isMissing(id)) return undefined
        return { kind: 'mesh', ...this.#meshes[role].get(id)! }
      }
      default:
        this.#notices.add('a plane, a height field or a distance field is no part of a robot, and is left out', link)
        return undefined
    }
  }

  /** The mesh of a geom; -1 for none. */
  #meshOf(geom: number): number {
    const { model } = this.#mujoco
    return (model.geom_type as Int32Array)[geom] === GEOM.mesh ? (model.geom_dataid as Int32Array)[geom]! : -1
  }

  #isMissing(mesh: number): boolean {
    if (mesh < 0 || this.#missing.size === 0) return false
    const { model } = this.#mujoco
    const paths = Buffer.from(model.paths as Int8Array)
    const start = (model.mesh_pathadr as Int32Array)[mesh]!
    return start >= 0 && this.#missing.has(paths.toString('utf8', start, paths.indexOf(0, start)))
  }

  #readMesh(mesh: number): TriangleMesh {
    const { model } = this.#mujoco
    const [vertex, vertices] = [model.mesh_vertadr, model.mesh_vertnum].map((array) => (array as Int32Array)[mesh]!)
    const [face, faces] = [model.mesh_faceadr, model.mesh_facenum].map((array) => (array as Int32Array)[mesh]!)
    return {
      vertices: Float64Array.from((model.mesh_vert as Float32Array).subarray(3 * vertex!, 3 * (vertex! + vertices!))),
      triangles: Uint32Array.from((model.mesh_face as Int32Array).subarray(3 * face!, 3 * (face! + faces!))),
    }
  }

  #colorOf(geom: number): GeometryModel['color'] {
    const rgba = this.#rgbaOf(geom)
    if (rgba.every((share, i) => share === UNCOLORED[i])) return undefined
    return rgba.slice(0, 3).map((share) => Math.round(255 * Math.min(1, Math.max(0, share)))) as unknown as NonNullable<
      GeometryModel['color']
    >
  }

  #rgbaOf(geom: number): number[] {
    const { model } = this.#mujoco
    const own = rowOf(model.geom_rgba, geom, 4)
    const material = (model.geom_matid as Int32Array)[geom]!
    return material >= 0 && own.every((share, i) => share === UNCOLORED[i]) ? rowOf(model.mat_rgba, material, 4) : own
  }
}

function count(meshes: readonly TriangleMesh[]): number {
  return meshes.reduce((sum, { triangles }) => sum + triangles.length / 3, 0)
}

function ellipsoid(a: number, b: number, c: number): ShapeSpec {
  const vertices: number[] = []
  const triangles: number[] = []
  for (let i = 0; i <= BANDS; i++) {
    const down = (Math.PI * i) / BANDS
    for (let j = 0; j < SEGMENTS; j++) {
      const around = (2 * Math.PI * j) / SEGMENTS
      vertices.push(a * Math.sin(down) * Math.cos(around), b * Math.sin(down) * Math.sin(around), c * Math.cos(down))
      const [next, below] = [i * SEGMENTS + ((j + 1) % SEGMENTS), (i + 1) * SEGMENTS]
      if (i > 0 && i < BANDS) triangles.push(i * SEGMENTS + j, below + j, next)
      if (i < BANDS - 1) triangles.push(below + j, below + ((j + 1) % SEGMENTS), next)
    }
  }
  return { kind: 'mesh', vertices, triangles }
}
