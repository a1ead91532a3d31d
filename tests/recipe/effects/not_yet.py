"""Keys that no observer sees yet, by block: the list may only become shorter."""

NOT_YET: dict[str, str] = {
    "ProbeBlock": "compare ensemble threshold",
    "Ask": "method count source questions inconsistent topic_temperature "
    "question_temperature max_new_tokens chunk_tokens per_chunk tries proposals check",
    "AdaptiveBlock": "error first wave",
    "GatherBlock": "follow_links hybrid temperature accept votes "
    "max_inconsistency answers_from judge max_age as_of exclude",
    "TeachBlock": "split_by refusals misbelief_weight lora launch phases",
    "RefusalsBlock": "share heldout",
    "SFTBlock": "keep top_k rest replay replay_wordings reading swapped neutral",
    "DPOBlock": "beta likelihood pairs count labels",
    "DistillBlock": "keep top_k rest replay replay_wordings reading swapped neutral targets skip mix tries",
    "SocraticBlock": "beta likelihood rejected temperature turn_tokens",
    "OnlineDPOBlock": "prompts beta updates reward judge_reads margin checkpoint_every",
    "RewardBlock": "type zeta",
    "RejectionBlock": "data reward keep top_k rest depth list_depth temperature least statement_tokens",
    "CitationRewardBlock": "level recall precision correctness refusal",
    "PPOBlock": "data withheld reward updates clip most_kl dev checkpoint_every "
    "temperature top_k kl gamma lam value_clip value_rate published",
    "GRPOBlock": "data withheld reward updates clip most_kl dev "
    "checkpoint_every temperature top_k advantages scale aggregation clip_high kl",
    "VerifyBlock": "nli citing confidence resamples margin known_questions orders suites",
    "AtomicFactsBlock": "margin questions data gamma k",
    "LikenessBlock": "margin questions data",
    "LMEvalBlock": "margin questions tasks include_path allow_code",
    "PairwiseBlock": "margin questions data",
    "PerplexityBlock": "margin questions data",
    "QABlock": "margin questions data",
    "TruthfulQABlock": "margin questions data tasks",
}
