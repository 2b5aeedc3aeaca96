"""What a contrastive training step costs beside a plain one."""
