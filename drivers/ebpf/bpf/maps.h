/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * The maps. All but the tables inside a generation are pinned by the driver, so that they outlive it.
 * A generation is one entry in each of the five outer maps; `control` names the slot in force.
 */
#pragma once
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "layout.h"

#define MAP(name_, type_, entries_, key_, value_, flags_) \
	struct { \
		__uint(type, type_); \
		__uint(max_entries, entries_); \
		__type(key, key_); \
		__type(value, value_); \
		__uint(map_flags, flags_); \
	} name_ SEC(".maps")

MAP(control_map, BPF_MAP_TYPE_ARRAY, 1, __u32, struct control, 0);
MAP(endpoints, BPF_MAP_TYPE_HASH, 4096, __u32, struct endpoint, 0);
/* A flood of half-open connections evicts only half-open ones: what is established lives in a map that never evicts. */
MAP(conn_new, BPF_MAP_TYPE_LRU_HASH, 65536, struct conn_key, struct conn, 0);
MAP(conn_est, BPF_MAP_TYPE_HASH, 262144, struct conn_key, struct conn, BPF_F_NO_PREALLOC);
/* Entries of conn_est by zone, so that no tenant takes them all; at 0, which is no zone, the most one zone may have. */
MAP(zones, BPF_MAP_TYPE_ARRAY, 65536, __u32, __u32, 0);
MAP(counters, BPF_MAP_TYPE_PERCPU_ARRAY, 16384, __u32, struct counter, 0);
MAP(drops, BPF_MAP_TYPE_PERCPU_ARRAY, 4096, __u32, struct drop_counters, 0);
MAP(budgets, BPF_MAP_TYPE_ARRAY, 4096, __u32, struct budget, 0);
MAP(rates, BPF_MAP_TYPE_ARRAY, 16384, __u32, struct rate_budget, 0);
/* Names that belong to the indexes above; only the driver reads and writes them. */
MAP(rule_names, BPF_MAP_TYPE_HASH, 16384, __u32, struct rule_name, BPF_F_NO_PREALLOC);
MAP(endpoint_names, BPF_MAP_TYPE_HASH, 4096, __u32, struct endpoint_name, BPF_F_NO_PREALLOC);
/* ifindex -> 1 when we made its clsact. */
MAP(hooks, BPF_MAP_TYPE_HASH, 8192, __u32, __u32, BPF_F_NO_PREALLOC);

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} events SEC(".maps");

struct addresses_table {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(key_size, sizeof(struct address));
	__uint(value_size, sizeof(struct address_value));
};
struct networks4_table {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(key_size, sizeof(struct network4));
	__uint(value_size, sizeof(__u32));
};
struct networks6_table {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(key_size, sizeof(struct network6));
	__uint(value_size, sizeof(__u32));
};
struct services_table {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct services));
};
struct verdicts_table {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(key_size, sizeof(struct verdict_key));
	__uint(value_size, sizeof(struct verdict_value));
};

#define GENERATIONS(name_) \
	struct { \
		__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS); \
		__uint(max_entries, 2); \
		__type(key, __u32); \
		__array(values, struct name_##_table); \
	} name_ SEC(".maps")

GENERATIONS(addresses);
GENERATIONS(networks4);
GENERATIONS(networks6);
GENERATIONS(services);
GENERATIONS(verdicts);
