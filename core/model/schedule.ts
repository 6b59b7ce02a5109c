/** When a rule holds: any of the windows, in local time of a zone. */
export interface Schedule {
  /** As written; qualified like a group. */
  readonly name: string
  /** IANA name, such as Asia/Shanghai. */
  readonly timeZone: string
  readonly windows: readonly ScheduleWindow[]
}

export interface ScheduleWindow {
  /** ISO weekdays on which it begins, 1 = Monday; ascending, at least one. */
  readonly days: readonly number[]
  /** Minutes after local midnight: from inclusive, to exclusive. `to` at or before `from` = until then on the next day; 0 to 1440 = the whole day. */
  readonly from: number
  readonly to: number
  /** First and last local day on which it may begin, `YYYY-MM-DD`, inclusive; absent = no bound. */
  readonly firstDay?: string
  readonly lastDay?: string
}
