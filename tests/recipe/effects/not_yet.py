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
    "DeployBlock": "groups router",
    "RouterBlock": "method neighbours false_activation calibration embedder",
}
