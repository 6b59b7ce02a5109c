/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* The clock of connections and budgets. The kernel's tick count is one load of memory; both of its clocks cost a call, up to 150 ns where it is virtual. */
#pragma once
#include "maps.h"

#define SECOND_NS 1000000000ull
/* include/linux/jiffies.h, INITIAL_JIFFIES: the kernel counts ticks from five minutes before 2^32 */
#define FIRST_WRAP_TICKS (1ull << 32)
#define FIRST_WRAP_NS (300 * SECOND_NS)

/* Time since the machine started, to a tick: CLOCK_MONOTONIC without its fine adjustment. May be compared with nothing but itself. */
static __always_inline __u64 now_ns(void)
{
	__u32 zero = 0;
	struct control *control = bpf_map_lookup_elem(&control_map, &zero);
	if (!control)
		return 0;
	return (bpf_jiffies64() - FIRST_WRAP_TICKS) * control->tick_ns + FIRST_WRAP_NS;
}
