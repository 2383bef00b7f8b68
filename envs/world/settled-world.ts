import type { World } from '@dimforge/rapier3d-simd-compat'
import { ArmatureError } from '../../src/core/errors.ts'
import type { PhysicsEngine } from './engine.ts'
import { restoreWorld } from './physics-world.ts'
import { scaleDynamics } from './scale-dynamics.ts'

/**
 * A world that can go back, to the last bit, to how it was after settling, and to any state that was saved. Setting poses back would
 * not do: contact caches survive it. Worlds are replaced by that, so bodies must be looked up again, in `attach`, by their handles.
 */
export class SettledWorld {
  readonly #engine: PhysicsEngine
  readonly #attach: (world: World) => void
  #settled: Uint8Array
  #world: World
  #massScale = 1
  #frictionScale = 1

  /** Takes `world` over and steps it `substeps` times. `attach` is called now and each time the world was replaced. */
  constructor(engine: PhysicsEngine, world: World, substeps: number, attach: (world: World) => void) {
    this.#engine = engine
    this.#attach = attach
    this.#world = world
    for (let i = 0; i < substeps; i++) world.step()
    this.#settled = world.takeSnapshot()
    attach(world)
  }

  get world(): World {
    return this.#world
  }

  reset(): void {
    this.#replace(this.#settled)
    scaleDynamics(this.#world, this.#massScale, this.#frictionScale)
  }

  /** Scales masses and frictions, as {@link scaleDynamics}, of what the next `reset` goes back to. */
  scale(massScale: number, frictionScale: number): void {
    this.#massScale = massScale
    this.#frictionScale = frictionScale
  }

  /** A snapshot, preceded by the Rapier build that it belongs to. */
  save(): Uint8Array {
    const snapshot = this.#world.takeSnapshot()
    const label = this.#label()
    const saved = new Uint8Array(label.length + snapshot.length)
    saved.set(label)
    saved.set(snapshot, label.length)
    return saved
  }

  /** @throws ArmatureError `bad-argument` for a snapshot of another Rapier build: it would load, and go on differently. */
  restore(saved: Uint8Array): void {
    const label = this.#label()
    if (saved.length <= label.length || label.some((byte, i) => saved[i] !== byte)) {
      throw new ArmatureError('bad-argument', 'saved physics', {
        expected: `a snapshot of rapier ${this.#engine.version} ${this.#engine.build}`,
        got: 'one of another build',
        fix: 'choose that build with the option physics',
      })
    }
    this.#replace(saved.slice(label.length))
  }

  /** Goes back, lets `change` alter bodies, and makes that the state that `reset` goes back to. */
  resettle(change: () => void): void {
    this.#replace(this.#settled)
    change()
    this.#settled = this.#world.takeSnapshot()
  }

  close(): void {
    this.#world.free()
  }

  #replace(snapshot: Uint8Array): void {
    const world = restoreWorld(this.#engine, snapshot)
    this.#world.free()
    this.#world = world
    this.#attach(world)
  }

  #label(): Uint8Array {
    return new TextEncoder().encode(`rapier ${this.#engine.version} ${this.#engine.build}\n`)
  }
}
