"""The Hugging Face Hub: settings, bounded requests, listing, download, publishing, the catalog, deployment."""
