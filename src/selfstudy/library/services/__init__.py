"""Who names pages and articles: search engines, wikis, sitemaps, feeds; and what is looked up there."""
