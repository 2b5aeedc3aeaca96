"""Does contrastive training make a summarizer state what its sources state? One real run."""
