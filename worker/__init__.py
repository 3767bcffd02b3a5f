"""The process after calls: drain, seal, mail, destroy. It composes storage and mailer."""
