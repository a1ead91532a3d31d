"""Keys that no observer sees yet, by block: the list may only become shorter."""

NOT_YET: dict[str, str] = {
    "Recipe": "embedder answer_key prompts seed cache servers smoke budget scale cluster min_gain relearn",
    "LocalModel": "path revision adapter dtype load_in_4bit "
    "device token_budget prompt demonstrations trust_remote_code",
    "RemoteModel": "model base_url revision api_key_env api_key_file concurrency connect_timeout "
    "read_timeout total_timeout deadline logprobs n extra prices",
    "Prices": "prompt completion currency",
    "ScriptedModel": "path",
    "ServerModel": "url startup_seconds",
    "NLIBlock": "path revision dtype device token_budget premise",
    "PromptedNLI": "ask",
    "Seq2SeqNLI": "path revision dtype device token_budget form",
    "EmbedderBlock": "path device",
    "LibraryBlock": "sources fetch index",
    "FolderSource": "path",
    "UrlsSource": "urls file sitemap most",
    "WebSource": "engine url api_key_env engine_id results",
    "WikipediaSource": "titles dump url results",
    "FetchBlock": "allow_hosts delay contact timeout max_bytes redirects patience offline",
    "BudgetBlock": "calls tokens money minutes",
    "ScaleBlock": "address workers tries",
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
    "DeployBlock": "groups router",
    "RouterBlock": "method neighbours false_activation calibration embedder",
}
