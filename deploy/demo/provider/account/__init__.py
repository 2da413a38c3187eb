"""What the provider knows of us: objects, events, money; each as Stripe's API shows it."""
