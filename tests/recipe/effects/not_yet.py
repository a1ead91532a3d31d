"""Keys that no observer sees yet, by block: the list may only become shorter."""

NOT_YET: dict[str, str] = {
    "ProbeBlock": "compare ensemble threshold",
    "Ask": "method count source questions inconsistent topic_temperature "
    "question_temperature max_new_tokens chunk_tokens per_chunk tries proposals check",
    "AdaptiveBlock": "error first wave",
    "GatherBlock": "follow_links hybrid temperature accept votes "
    "max_inconsistency answers_from judge max_age as_of exclude",
    "VerifyBlock": "nli citing confidence resamples margin known_questions orders suites",
    "AtomicFactsBlock": "margin questions data gamma k",
    "LikenessBlock": "margin questions data",
    "LMEvalBlock": "margin questions tasks include_path allow_code",
    "PairwiseBlock": "margin questions data",
    "PerplexityBlock": "margin questions data",
    "QABlock": "margin questions data",
    "TruthfulQABlock": "margin questions data tasks",
}
