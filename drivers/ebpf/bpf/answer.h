/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * What a `reject` answers: a TCP reset, or an ICMP destination unreachable that quotes the packet. The packet is rewritten in place.
 * Its source is the destination that was asked, so that the answer is related to the connection at the sender's own guard,
 * also on another host.
 */
#pragma once
#include "maps.h"
#include "packet.h"
#include "tell.h"

#define IN_BYTES 62 /* Ethernet, IPv6, 8 bytes of transport */

struct scratch {
	__u8 in[64];
	__u8 pseudo[40];
	__u8 out[128];
};

MAP(scratch, BPF_MAP_TYPE_PERCPU_ARRAY, 1, __u32, struct scratch, 0);

static __always_inline void put16(__u8 *at, __u16 value)
{
	at[0] = value >> 8;
	at[1] = value;
}

static __always_inline void put32(__u8 *at, __u32 value)
{
	put16(at, value >> 16);
	put16(at + 2, value);
}

static __always_inline __u16 fold(__s64 sum)
{
	__u32 value = sum;
	value = (value & 0xffff) + (value >> 16);
	value = (value & 0xffff) + (value >> 16);
	return ~value;
}

static __always_inline void ipv4_header(struct scratch *s, __u16 length, __u8 proto)
{
	__u8 *ip = s->out + 14;
	__builtin_memset(ip, 0, 20);
	ip[0] = 0x45;
	put16(ip + 2, length);
	ip[6] = 0x40;
	ip[8] = 64;
	ip[9] = proto;
	__builtin_memcpy(ip + 12, s->in + 30, 4);
	__builtin_memcpy(ip + 16, s->in + 26, 4);
	__u16 sum = fold(bpf_csum_diff(0, 0, (__be32 *)ip, 20, 0));
	__builtin_memcpy(ip + 10, &sum, 2);
	__builtin_memcpy(s->pseudo, ip + 12, 8);
	put32(s->pseudo + 8, (__u32)proto << 16 | (length - 20));
}

static __always_inline void ipv6_header(struct scratch *s, __u16 payload, __u8 proto)
{
	__u8 *ip = s->out + 14;
	__builtin_memset(ip, 0, 8);
	ip[0] = 0x60;
	put16(ip + 4, payload);
	ip[6] = proto;
	ip[7] = 64;
	__builtin_memcpy(ip + 8, s->in + 38, 16);
	__builtin_memcpy(ip + 24, s->in + 22, 16);
	__builtin_memcpy(s->pseudo, ip + 8, 32);
	put32(s->pseudo + 32, payload);
	put32(s->pseudo + 36, proto);
}

static __always_inline void reset(struct scratch *s, __u8 *tcp, const struct packet *packet)
{
	__builtin_memset(tcp, 0, 20);
	put16(tcp, packet->destination_port);
	put16(tcp + 2, packet->source_port);
	/* RFC 9293 §3.10.7.1 */
	if (packet->tcp_flags & TCP_ACK) {
		put32(tcp + 4, packet->ack);
		tcp[13] = TCP_RST;
	} else {
		put32(tcp + 8, packet->seq + packet->payload);
		tcp[13] = TCP_RST | TCP_ACK;
	}
	tcp[12] = 0x50;
}

static __always_inline void store_sum(__u8 *at, __s64 sum)
{
	__u16 folded = fold(sum);
	__builtin_memcpy(at, &folded, 2);
}

/* Rewrites the packet into its answer. Returns 0, or -1 when it must not or cannot be answered (then it is dropped silently). */
__noinline int answer(struct __sk_buff *skb, const struct packet *packet, __u32 endpoint)
{
	if (!packet)
		return -1;
	__u32 zero = 0;
	struct scratch *s = bpf_map_lookup_elem(&scratch, &zero);
	struct budget *budget = budget_of(endpoint);
	if (!s || !budget)
		return -1;
	/* RFC 1122 §3.2.2, RFC 4443 §2.4(e): never to errors, replies and resets, never for what many receive */
	if (packet->to_group || (packet->tcp_flags & TCP_RST) || packet->icmp_kind == ICMP_ERROR || packet->icmp_kind == ICMP_REPLY)
		return -1;
	int v4 = packet->l4 == ETH_HEADER + 20;
	__u8 first = v4 ? *((const __u8 *)packet->destination.word + 12) : *(const __u8 *)packet->destination.word;
	if (v4 ? first >= 224 : first == 0xff)
		return -1;
	if (budget->answers >= ANSWERS_PER_SECOND)
		return -1;
	budget->answers += 1;
	if (bpf_skb_load_bytes(skb, 0, s->in, 42) || (!v4 && bpf_skb_load_bytes(skb, 0, s->in, IN_BYTES)))
		return -1;
	__builtin_memcpy(s->out, s->in + 6, 6);
	__builtin_memcpy(s->out + 6, s->in, 6);
	__builtin_memcpy(s->out + 12, s->in + 12, 2);
	if (packet->proto == 6 && v4) {
		ipv4_header(s, 40, 6);
		reset(s, s->out + 34, packet);
		__s64 sum = bpf_csum_diff(0, 0, (__be32 *)s->pseudo, 12, 0);
		store_sum(s->out + 50, bpf_csum_diff(0, 0, (__be32 *)(s->out + 34), 20, sum));
		return bpf_skb_change_tail(skb, 54, 0) || bpf_skb_store_bytes(skb, 0, s->out, 54, BPF_F_RECOMPUTE_CSUM) ? -1 : 0;
	}
	if (packet->proto == 6) {
		ipv6_header(s, 20, 6);
		reset(s, s->out + 54, packet);
		__s64 sum = bpf_csum_diff(0, 0, (__be32 *)s->pseudo, 40, 0);
		store_sum(s->out + 70, bpf_csum_diff(0, 0, (__be32 *)(s->out + 54), 20, sum));
		return bpf_skb_change_tail(skb, 74, 0) || bpf_skb_store_bytes(skb, 0, s->out, 74, BPF_F_RECOMPUTE_CSUM) ? -1 : 0;
	}
	if (v4) {
		ipv4_header(s, 56, 1);
		__builtin_memset(s->out + 34, 0, 8);
		s->out[34] = 3; /* destination unreachable: port, or administratively prohibited */
		s->out[35] = packet->proto == 17 ? 3 : 13;
		__builtin_memcpy(s->out + 42, s->in + 14, 28);
		store_sum(s->out + 36, bpf_csum_diff(0, 0, (__be32 *)(s->out + 34), 36, 0));
		return bpf_skb_change_tail(skb, 70, 0) || bpf_skb_store_bytes(skb, 0, s->out, 70, BPF_F_RECOMPUTE_CSUM) ? -1 : 0;
	}
	ipv6_header(s, 56, 58);
	__builtin_memset(s->out + 54, 0, 8);
	s->out[54] = 1;
	s->out[55] = packet->proto == 17 ? 4 : 1;
	__builtin_memcpy(s->out + 62, s->in + 14, 48);
	__s64 sum = bpf_csum_diff(0, 0, (__be32 *)s->pseudo, 40, 0);
	store_sum(s->out + 56, bpf_csum_diff(0, 0, (__be32 *)(s->out + 54), 56, sum));
	return bpf_skb_change_tail(skb, 110, 0) || bpf_skb_store_bytes(skb, 0, s->out, 110, BPF_F_RECOMPUTE_CSUM) ? -1 : 0;
}
