package org.descant.audio;

/**
 * What a file says about itself, read without decoding it.
 *
 * @param container such as "wav", "flac", "mp3", "ogg", "mov", "aiff"
 * @param codec such as "pcm_s16le", "flac", "mp3", "vorbis", "opus", "aac"
 * @param seconds length as declared or estimated; 0 if the file does not say
 */
public record AudioInfo(
    String container, String codec, int sampleRate, int channels, double seconds) {}
