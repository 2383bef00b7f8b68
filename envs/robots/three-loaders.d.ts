/** What is used of the loaders of `three`, which come without types. */
declare module 'three/examples/jsm/loaders/*' {
  interface LoadedMaterial {
    readonly name: string
    /** Linear, 0..1. */
    readonly color?: { getRGB(out: { r: number; g: number; b: number }, space: 'srgb'): unknown }
  }
  interface LoadedObject {
    readonly isMesh?: boolean
    readonly geometry: {
      readonly attributes: { readonly position?: { readonly array: ArrayLike<number> } }
      readonly index: { readonly array: ArrayLike<number> } | null
      readonly groups: readonly { readonly start: number; readonly count: number; readonly materialIndex: number }[]
    }
    readonly material: LoadedMaterial | readonly LoadedMaterial[]
    /** Column-major [4, 4], after `updateMatrixWorld`. */
    readonly matrixWorld: { readonly elements: readonly number[] }
    readonly rotation: { set(x: number, y: number, z: number): unknown }
    traverse(visit: (object: LoadedObject) => void): void
    updateMatrixWorld(force: boolean): void
  }
  export class OBJLoader {
    parse(text: string): LoadedObject
  }
  export class ColladaLoader {
    parse(text: string, path: string): { readonly scene: LoadedObject } | null
  }
}
