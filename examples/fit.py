"""Pre-train an encoder with `model.fit`, then use its features."""

import simclr_tf
import tf_models

images = simclr_tf.data.load("bundled", split="train")  # (image, label), uint8
test_images = simclr_tf.data.load("bundled", split="test").batch(256)

model = simclr_tf.SimCLR(
    encoder=tf_models.ResNet(depth=18, width_multiplier=0.25, stem="cifar"),
    projection_head=tf_models.ProjectionHead(num_layers=2, output_dim=64),
    augmentation=simclr_tf.augmentation.SimCLRAugmentation(32, 0.5, blur=False),
    num_classes=10,  # a linear head on stopped gradients watches the features
)
model.compile(
    optimizer=simclr_tf.optimizers.LARS(learning_rate=0.5, weight_decay=1e-4),
    loss=simclr_tf.losses.NTXent(temperature=0.2),
)
model.fit(images.shuffle(10_000).batch(256, drop_remainder=True), epochs=1)

print(model.evaluate(test_images, return_dict=True))
features = model.predict(test_images)  # [2000, 128]
simclr_tf.export.save(model.encoder, "runs/example", image_size=32, overwrite=True)
