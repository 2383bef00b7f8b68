/** What every section gets. */
export interface SectionContext {
  readonly seconds: number
  readonly minutes: number
  /** A folder for key files that is removed in the end. */
  readonly folder: string
  /** Called between two pieces of work; throws after Ctrl-C. */
  readonly check: () => void
}

/** One part of the benchmark: its fields by their full names. */
export interface Section {
  readonly measures: string
  run(context: SectionContext): Promise<Readonly<Record<string, number>>>
}
